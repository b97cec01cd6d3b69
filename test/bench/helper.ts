import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { version } from "../../src/base/version.ts";
import { ensureHelper, type Helper } from "../../src/rpc/launch.ts";
import { household } from "../vm/household.ts";
import { writeRecords } from "./records.ts";
import { milliseconds, type Row, spread } from "./report.ts";

const machineCount = 1_000;

/** Helper start, RPC round trip, a list of 1,000 machines, memory. */
export async function benchHelper(root: string): Promise<Row[]> {
  const house = await household();
  const options = {
    home: house.home,
    command: [process.execPath, join(root, "dist", "helper.js")],
    version,
    client: "window" as const,
  };
  const starts: number[] = [];
  let helper: Helper;
  try {
    for (let i = 0; i < 5; i++) {
      const startedAt = performance.now();
      helper = await ensureHelper(options);
      starts.push(performance.now() - startedAt);
      helper.client.close();
      await house.json(["daemon", "stop"]);
    }
    await writeRecords(house.home, 0, machineCount);
    const startedAt = performance.now();
    helper = await ensureHelper(options);
    const startWithMany = performance.now() - startedAt;
    const { client } = helper;
    const trips = await timed(1_000, () => client.call("helper.status", {}));
    const { machines } = await client.call("machines.list", {});
    if (machines.length !== machineCount)
      throw new Error(`the helper lists ${String(machines.length)} machines`);
    const lists = await timed(20, () => client.call("machines.list", {}));
    const busy = await client.call("helper.status", {});
    // V8 tidies up once it has had nothing to do for some seconds.
    await setTimeout(15_000);
    const idle = await client.call("helper.status", {});
    client.close();
    return [
      { what: "helper start to handshake", value: spread(starts), against: "" },
      {
        what: `helper start with ${String(machineCount)} machines`,
        value: milliseconds(startWithMany),
        against: "",
      },
      { what: "RPC round trip", value: spread(trips), against: "" },
      {
        what: `list of ${String(machineCount)} machines`,
        value: spread(lists),
        against: "target < 50 ms",
      },
      {
        what: "helper memory, 1,000 machines, after 20 lists",
        value: mebibytes(busy.status.memoryBytes),
        against: "",
      },
      {
        what: "and after 15 s of rest",
        value: mebibytes(idle.status.memoryBytes),
        against: "target < 120 MiB",
      },
    ];
  } finally {
    // The records go first, or they would be deleted as machines, one after the other.
    await house.guesthouse(["daemon", "stop"]);
    await rm(join(house.home, "machines"), { recursive: true, force: true });
    await house[Symbol.asyncDispose]();
  }
}

const mebibytes = (bytes: number): string =>
  `${(bytes / 1024 ** 2).toFixed(0)} MiB`;

async function timed(
  count: number,
  work: () => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now();
    await work();
    times.push(performance.now() - startedAt);
  }
  return times;
}
