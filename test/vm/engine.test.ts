/*
 * Containers in a VM of the image `containers`: one warm clone runs an app and a sidecar on a network of their own, made
 * of the guest's own busybox, without a registry. Then the guest boots, as it would after a stop.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import { eventually, type Household, household } from "./household.ts";
import { runInGuest } from "./inGuest.ts";
import { engineShape, warmUpEngine } from "./warmGuests.ts";

let house: Household;
let template: Template;
let clone: Machine;

const inGuest = (command: string): Promise<string> =>
  runInGuest(house, clone, command);

/** An image of a few megabytes, with a page to serve. */
const makeImage = [
  "mkdir -p box/bin box/www box/tmp",
  "cp $(command -v busybox) box/bin/busybox",
  "for name in sh sleep httpd wget nslookup ping cat id; do ln -sf busybox box/bin/$name; done",
  "echo served >box/www/index.html",
  "tar -C box -c . | docker import - box:1",
].join(" && ");

const run = (name: string, options: string, command: string): string =>
  `docker run --detach --name ${name} --network town --restart unless-stopped ${options} box:1 ${command}`;

const bothUp = "docker ps --quiet --filter name=app --filter name=side | wc -l";
/** A line for each of the VM's veths: the bridge that it is in. */
const masters =
  "for card in /sys/class/net/veth*; do basename $(readlink $card/master || echo none); done";

async function expectNetworks(): Promise<void> {
  const bridges = (await inGuest(masters)).split("\n");
  expect(bridges).toHaveLength(2);
  for (const bridge of bridges) expect(bridge).toMatch(/^br-/);
  expect(await inGuest("docker exec app wget -qO- http://side/")).toBe(
    "served",
  );
  expect(await inGuest("curl -sS http://127.0.0.1:8080/")).toBe("served");
}

beforeAll(async () => {
  house = await household();
  template = await warmUpEngine(house);
  clone = await house.json<Machine>([
    ...["create", "dock", "--image", "containers"],
    ...engineShape,
  ]);
}, 1_200_000);

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("a warm clone of the image for containers", () => {
  test("resumes with the engine up, for its user without sudo", async () => {
    expect(template.state.kind).toBe("ready");
    expect(clone.runtime?.way).toBe("warm");
    expect(await inGuest("systemctl is-active docker containerd")).toBe(
      "active\nactive",
    );
    expect(await inGuest("id -u; id -nG")).toMatch(/^1000\n.*\bdocker\b/);
    expect(
      await inGuest(
        "docker info --format '{{.Driver}} {{.CgroupDriver}} {{.CgroupVersion}} {{.LoggingDriver}}'",
      ),
    ).toBe("overlay2 systemd 2 local");
    expect(await inGuest("ss -Hltn | grep -E ':237[0-9]' || true")).toBe("");
  });

  test("has a disk of 64 GiB and the tools that dev containers need", async () => {
    expect(clone.diskGiB).toBe(64);
    const versions = await inGuest(
      "docker compose version --short; docker buildx version; devcontainer --version; git --version",
    );
    expect(versions).toMatch(/^v?2\..*\n.*buildx.*\n0\.89\.0\ngit /);
  });

  test("its sshd locks nobody out for looking whether the VM is up: all clients have one address", async () => {
    expect(await inGuest("sudo sshd -T | grep '^persourcepenalties '")).toBe(
      "persourcepenalties no",
    );
  });

  test("F58: the app reaches the sidecar by its name, the VM the published port", async () => {
    await inGuest(makeImage);
    await inGuest("docker network create town");
    await inGuest(run("side", "--publish 8080:80", "httpd -f -p 80 -h /www"));
    await inGuest(run("app", "--ulimit nofile=500000", "sleep 1000000"));
    expect(await inGuest("docker exec app sh -c 'ulimit -n'")).toBe("500000");
    await expectNetworks();
  });

  test("a container reaches the name server outside", async () => {
    // Reserved (RFC 6761): whoever answers, answers that there is no such name.
    const answer = await inGuest(
      "docker exec app nslookup guesthouse.invalid 2>&1; server=$(sed -n 's/^nameserver //p' /run/systemd/resolve/resolv.conf | head -n 1); docker exec app nslookup guesthouse.invalid $server 2>&1 || true",
    );
    expect(answer).not.toMatch(/timed out|unreachable/);
    expect(answer.match(/NXDOMAIN|SERVFAIL|REFUSED/g)).not.toBeNull();
  });

  test("F58: its veths stay in their bridge when the network service starts again", async () => {
    await inGuest(
      "sudo networkctl reload && sudo systemctl restart systemd-networkd && sleep 3",
    );
    await expectNetworks();
  });
});

describe("the same after a boot", () => {
  beforeAll(async () => {
    await house.json(["stop", "dock"]);
    clone = await house.json<Machine>(["start", "dock"]);
    await eventually("the containers", 300_000, async () =>
      (await house.ssh(clone.alias, [bothUp])).stdout.trim() === "2"
        ? true
        : undefined,
    );
    await inGuest("sudo cloud-init status --wait >/dev/null || true");
  }, 900_000);

  test("F58: containers with a restart policy are back on their network", async () => {
    await expectNetworks();
  });

  test("they were ended in order: nothing was killed, nothing was cleared away", async () => {
    const before = await inGuest(
      "sudo journalctl --boot -1 --quiet --unit docker --unit containerd --output cat || true",
    );
    expect(before).not.toMatch(/status=9|Failed with result|timed out/);
    const now = await inGuest(
      "sudo journalctl --boot --quiet --unit docker --output cat || true",
    );
    expect(now).not.toMatch(/stale sandbox/i);
  });

  test("B28: nothing failed and nothing was waited for", async () => {
    expect(await inGuest("systemctl --failed --no-legend")).toBe("");
    expect(
      await inGuest(
        "sudo journalctl --boot --quiet --grep 'timed out|ordering cycle' _PID=1 || true",
      ),
    ).toBe("");
  });

  test("SSH waits for no engine", async () => {
    const since = async (unit: string): Promise<number> =>
      Number(
        await inGuest(
          `systemctl show --value --property ActiveEnterTimestampMonotonic ${unit}`,
        ),
      );
    expect(await since("docker.service")).toBeGreaterThan(
      await since("ssh.service"),
    );
    expect(await inGuest("cloud-init status")).toBe("status: done");
  });
});
