import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPasst } from "../../src/helper/networks/passtProcess.ts";
import { endProcess } from "../../src/helper/qemu/process.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { hostAddress } from "./hostAddress.ts";
import { eventually } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import type { Tenants } from "./tenants.ts";

/**
 * Bash: a line for each address and port, with the first letters of what a server there says. That a connection is
 * taken says little: there are networks in which somebody takes them all.
 */
const knock = (targets: readonly (readonly [string, number])[]): string =>
  targets
    .map(
      ([address, port]) =>
        `timeout 10 bash -c 'exec 3<>/dev/tcp/${address}/${String(port)} && echo SSH-2.0-knock >&3 && head -c 4 <&3' 2>/dev/null; echo`,
    )
    .join("; ");

/** Of our servers and of another guest's sshd. */
const greetings = (answer: string): string[] =>
  answer.split("\n").filter((line) => line === "hell" || line === "SSH-");

/** Root can send what is addressed to 127.0.0.1 out of its network card: two routing rules and a switch. */
const loopbackToWire = [
  "card=$(ls /sys/class/net | grep ^e)",
  "sudo sysctl -qw net.ipv4.conf.all.route_localnet=1",
  "sudo ip route add table 77 default via 10.0.2.2 dev $card",
  "sudo ip rule add pref 1 to 127.0.0.0/8 table 77",
  "sudo ip rule add pref 2 table local",
  "sudo ip rule del pref 0",
];
const loopbackBack = [
  "sudo ip rule add pref 0 table local",
  "sudo ip rule del pref 2",
  "sudo ip rule del pref 1",
  "sudo ip route flush table 77",
];

/** What a guest on passt can't reach, and what becomes of it when passt dies. Ends with machine two cut off. */
export function describeLoopback(the: () => Tenants): void {
  const inGuest = (machine: Machine, command: string): Promise<string> =>
    runInGuest(the().house, machine, command);
  const greet = (): Server =>
    createServer((socket) => socket.resume().end("hello"));
  const server = greet();
  const outside = greet();
  const portOf = (one: Server): number => (one.address() as AddressInfo).port;
  /** Why there is nothing to test here; the user network can't keep anybody out. */
  const unfit = (): string | undefined => {
    const { network } = the().one.runtime!;
    return network.backend === "passt" ? undefined : network.reason;
  };

  describe("the host's loopback", () => {
    beforeAll(async () => {
      server.listen(0, "127.0.0.1");
      outside.listen(0, hostAddress());
      for (const each of [server, outside])
        if (!each.listening) await once(each, "listening");
    });
    afterAll(() => {
      server.close();
      outside.close();
    });

    test("the guest has the address of its record and reaches neither servers on the host's loopback nor other guests through it", async ({
      skip,
    }) => {
      skip(unfit() !== undefined, unfit());
      const { one, two } = the();
      expect(one.runtime?.network.hostLoopbackReachable).toBe(false);
      expect(await inGuest(one, "hostname -I")).toMatch(/^10\.0\.2\.\d+/);
      const other = two.runtime!.sshPort;
      const answer = await inGuest(
        one,
        knock([
          [hostAddress(), portOf(outside)],
          ["10.0.2.2", portOf(server)],
          ["10.0.2.2", other],
          ["10.0.2.3", portOf(server)],
          ["127.0.0.1", portOf(server)],
        ]),
      );
      expect(greetings(answer)).toEqual(["hell"]);
    });

    test("nor does its root, who sends packets for 127.0.0.1 out of the network card", async ({
      skip,
    }) => {
      skip(unfit() !== undefined, unfit());
      const { one, two } = the();
      const other = two.runtime!.sshPort;
      const answer = await inGuest(
        one,
        [
          ...loopbackToWire,
          "ip route get 127.0.0.1 | grep -o 'via 10.0.2.2'",
          knock([
            [hostAddress(), portOf(outside)],
            ["127.0.0.1", portOf(server)],
            ["127.0.0.1", other],
          ]),
          ...loopbackBack,
        ].join("; "),
      );
      expect(answer).toMatch(/^via 10\.0\.2\.2$/m);
      // The card does send what may go out.
      expect(greetings(answer)).toEqual(["hell"]);
    });

    test("kill -9 of passt: the state says that the network is gone and what mends it", async ({
      skip,
    }) => {
      skip(unfit() !== undefined, unfit());
      const { house, two } = the();
      for (const passt of await findPasst(`${house.home}/run/${two.id}.net`))
        await endProcess(passt, "SIGKILL");
      const { state } = await eventually("the news", 3_000, async () => {
        const machine = await house.machine("two");
        return machine.state.kind === "unready" ? machine : undefined;
      });
      expect(state).toMatchObject({
        kind: "unready",
        diagnosis: {
          cause: "networkGone",
          hint: expect.stringMatching(/Restart the machine/) as string,
        },
      });
    });
  });
}
