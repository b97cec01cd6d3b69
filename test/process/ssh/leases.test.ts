import { execa } from "execa";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import {
  idleAct,
  watchIdle,
} from "../../../src/helper/machines/running/idle.ts";
import { processIdentity } from "../../../src/helper/qemu/process.ts";
import { leasedMachines, takeLease } from "../../../src/helper/ssh/leases.ts";
import * as samples from "../../unit/extension/samples.ts";
import { eventually } from "../../vm/household.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-leases-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** As a proxy of another process left it. */
const leaseOf = async (machine: string, pid: number): Promise<void> => {
  const startTime = (await processIdentity(pid))?.startTime ?? "";
  await writeFile(
    join(folder, `${String(pid)}.json`),
    JSON.stringify({ machine, pid, startTime }),
  );
};

test("a connection counts while its process lives, however that ends (B14, B15)", async () => {
  const lease = await takeLease(folder, "gh-web");
  expect(await leasedMachines(folder)).toEqual(new Set(["gh-web"]));
  await lease.release();
  expect(await leasedMachines(folder)).toEqual(new Set());
  const proxy = execa("sleep", ["60"], { reject: false });
  await leaseOf("gh-web", proxy.pid ?? 0);
  expect(await leasedMachines(folder)).toEqual(new Set(["gh-web"]));
  proxy.kill("SIGKILL");
  await proxy;
  expect(await leasedMachines(folder)).toEqual(new Set());
  expect(await readdir(folder)).toEqual([]);
  // Its number may be somebody else's by now.
  await writeFile(
    join(folder, `${String(process.pid)}.json`),
    JSON.stringify({ machine: "x", pid: process.pid, startTime: "long ago" }),
  );
  expect(await leasedMachines(folder)).toEqual(new Set());
});

test("idle machines are suspended, and used ones ended as their owners want, once nobody is connected", async () => {
  const acted: string[] = [];
  const running = { kind: "running", sinceMs: 0 } as const;
  const of = (id: string) =>
    samples.machine({ id, name: id, alias: `gh-${id}`, state: running });
  const machines = ["idle", "used", "busy", "never"].map(of);
  const lease = await takeLease(folder, "gh-used");
  const idle = watchIdle({
    rules: { suspendAfterMs: 400, graceMs: 100 },
    running: () =>
      machines.filter(
        ({ id }) => !acted.some((act) => act.startsWith(`${id} `)),
      ),
    connected: () => leasedMachines(folder),
    isBusy: (id) => id === "busy",
    afterUse: (id) => (["used", "never"].includes(id) ? "delete" : undefined),
    act: (id, act) => {
      acted.push(`${id} ${act}`);
      return Promise.resolve();
    },
    log: silentLog,
  });
  const all = (count: number) =>
    eventually("Acting", 10_000, () =>
      Promise.resolve(acted.length === count ? true : undefined),
    );
  try {
    await all(2);
    // The one that nobody was ever connected to is not deleted before anybody comes.
    expect(acted.sort()).toEqual(["idle suspend", "never suspend"]);
    await lease.release();
    await all(3);
    expect(acted).toContain("used delete");
    expect(idle.watching()).toBe(true);
  } finally {
    idle.close();
  }
});

test("nothing is done to machines by itself unless somebody wants it", () => {
  const never = { suspendAfterMs: 0, graceMs: 60_000 };
  expect(idleAct(1e12, true, undefined, never)).toBeUndefined();
  expect(idleAct(1e12, false, "delete", never)).toBeUndefined();
  expect(idleAct(59_999, true, "stop", never)).toBeUndefined();
  expect(idleAct(60_000, true, "stop", never)).toBe("stop");
});
