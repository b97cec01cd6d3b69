/*
 * Whose network devices are the VM's own card, and whose belong to Docker, LXC, libvirt or a VPN: what the image tells
 * networkd, and what the guest's service does about a card that seems to pass nothing.
 */
import { execa } from "execa";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const guest = join(import.meta.dirname, "../../../../../resources/guest");
const python = await execa("python3", ["--version"], { reject: false });

/** The settings of a unit-like file: section, then name, then value. */
function settings(text: string): Record<string, Record<string, string>> {
  const read: Record<string, Record<string, string>> = {};
  let section: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    const heading = /^\[(\w+)\]$/.exec(line)?.[1];
    if (heading !== undefined) section = read[heading] = {};
    if (name !== undefined) section[name] = value ?? "";
  }
  return read;
}

const networkd = async (path: string): Promise<ReturnType<typeof settings>> =>
  settings(
    await readFile(join(guest, "debian/files/etc/systemd", path), "utf8"),
  );

describe("networkd in the Debian images (F58)", () => {
  test("F58: takes devices without a kind only, so no veth leaves its bridge", async () => {
    const { Match } = await networkd("network/80-guesthouse-dhcp.network");
    expect(Match).toEqual({ Type: "ether", Kind: "!*" });
  });

  test("F58: leaves the routing rules of VPNs and container networks alone", async () => {
    const { Network } = await networkd("networkd.conf.d/50-guesthouse.conf");
    expect(Network).toEqual({ ManageForeignRoutingPolicyRules: "no" });
  });
});

/** What heal.py says of eth0, with these routes (device, destination, gateway as in /proc/net/route) and this master. */
async function judged(
  routes: readonly (readonly [string, string, string])[],
  { master, address = true }: { master?: string; address?: boolean } = {},
): Promise<string> {
  const table = routes.map(
    ([device, destination, gateway]) =>
      `${device}\t${destination}\t${gateway}\t0003\t0\t0\t0\t${destination === "00000000" ? "00000000" : "00FFFFFF"}\t0\t0\t0`,
  );
  const script = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import heal
routes, master, address = json.loads(sys.argv[2])
def own_address(name):
    if not address:
        raise OSError("no address")
    return b"\\n\\0\\2\\x0f"
heal.network_card = lambda: ("eth0", 2)
heal.card_flags = lambda name: heal.IFF_UP | heal.IFF_RUNNING
heal.content = lambda path: "Iface\\tDestination\\n" + "\\n".join(routes)
heal.master_of = lambda name: master
heal.own_address = own_address
heal.answers = lambda *_: True
print(heal.judge({b"known"}))
`;
  const { stdout } = await execa("python3", [
    "-c",
    script,
    join(guest, "handoff"),
    JSON.stringify([table, master ?? null, address]),
  ]);
  return stdout;
}

describe.skipIf(python.exitCode !== 0)(
  "the card that heal.py looks after (F58; skipped without python3)",
  () => {
    const subnet = ["eth0", "0002000A", "00000000"] as const;
    const wayOut = ["eth0", "00000000", "0202000A"] as const;

    test("is well with its address and its way out, whatever bridges stand beside it", async () => {
      const docker = ["docker0", "000011AC", "00000000"] as const;
      expect(await judged([wayOut, subnet, docker])).toBe("None");
    });

    test("has no way out when nothing leads outside", async () => {
      expect(await judged([subnet])).toBe("has no way out");
    });

    test("F58: is left alone while a VPN's tunnel is the way out", async () => {
      const tunnel = ["tun0", "00000000", "00000000"] as const;
      expect(await judged([tunnel, subnet])).toBe("None");
    });

    test("F58: is left alone as a bridge's port, which has no address of its own", async () => {
      const bridged = ["br0", "00000000", "0202000A"] as const;
      expect(await judged([bridged], { master: "br0", address: false })).toBe(
        "None",
      );
    });
  },
);
