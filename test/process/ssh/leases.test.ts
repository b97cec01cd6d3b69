import { execa } from "execa";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { keepIdleSuspended } from "../../../src/helper/machines/idleSuspend.ts";
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

test("only a machine that runs, that nobody is connected to and nothing is done with, is suspended", async () => {
  const suspended: string[] = [];
  const running = { kind: "running", sinceMs: 0 } as const;
  const of = (id: string) =>
    samples.machine({ id, name: id, alias: `gh-${id}`, state: running });
  const machines = ["idle", "used", "busy", "new"].map(of);
  const lease = await takeLease(folder, "gh-used");
  const idle = keepIdleSuspended({
    minutes: 0.4 / 60,
    machines: () => machines.filter(({ id }) => !suspended.includes(id)),
    connected: () => leasedMachines(folder),
    isBusy: (id) => id === "busy",
    suspend: (id) => {
      suspended.push(id);
      return Promise.resolve();
    },
    log: silentLog,
  });
  try {
    await eventually("Suspending", 10_000, () =>
      Promise.resolve(suspended.length === 2 ? true : undefined),
    );
    expect(suspended.sort()).toEqual(["idle", "new"]);
    await lease.release();
    await eventually("Suspending after the last connection", 10_000, () =>
      Promise.resolve(suspended.includes("used") ? true : undefined),
    );
    expect(suspended).not.toContain("busy");
    expect(idle.watching()).toBe(true);
  } finally {
    idle.close();
  }
});
