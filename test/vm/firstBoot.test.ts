import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBanner } from "../../src/helper/ssh/banner.ts";
import type { HelperStatus } from "../../src/protocol/helper.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import { eventually, type Household, household, isGone } from "./household.ts";

let house: Household;

beforeAll(async () => {
  house = await household();
  await house.json(["image", "pull", "debian-12"]);
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

describe("crashes", () => {
  test("kill -9 of QEMU before the first boot was reached: host key and user are taken from the seed again (B15)", async () => {
    await house.json<Machine>([
      ...["create", "three", "--cpus", "1", "--memory", "768M"],
      "--no-wait",
    ]);
    // With a helper that looks on, the guest would write all to its disk as soon as it is reached.
    const { pid: helper } = await house.json<HelperStatus>([
      "daemon",
      "status",
    ]);
    process.kill(helper, "SIGKILL");
    const [id] = await readdir(join(house.home, "machines"));
    const folder = join(house.home, "machines", id!);
    const { pid, sshPort } = JSON.parse(
      await readFile(join(folder, "handles.json"), "utf8"),
    ) as { pid: number; sshPort: number };
    await eventually("an SSH server", 120_000, () =>
      readBanner("127.0.0.1", sshPort, 5_000),
    );
    // The names of new files are kept after five seconds, what is in them after thirty.
    await sleep(7_000);
    process.kill(pid, "SIGKILL");
    await eventually("QEMU's end", 5_000, async () =>
      (await isGone(pid)) ? true : undefined,
    );
    expect((await house.json<Machine>(["start", "three"])).state.kind).toBe(
      "running",
    );
    const { alias } = await house.machine("three");
    const { stdout } = await house.ssh(alias, [
      "sudo",
      "cat",
      "/var/lib/cloud/data/instance-id",
    ]);
    expect(stdout.trim()).toMatch(
      new RegExp(`^guesthouse-${id!}-[0-9a-f]{6}$`),
    );
  });
});
