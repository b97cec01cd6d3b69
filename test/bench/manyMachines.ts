import { rm } from "node:fs/promises";
import { join } from "node:path";
import { household } from "../vm/household.ts";
import { connectHelper, firstSsh, timed } from "./connect.ts";
import { writeRecords } from "./records.ts";
import { median, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 7);
const counts = [1, 100, 1_000];
const shape = { image: "debian-12", cpus: 1, memoryMiB: 512 };

/** How a warm clone to ssh grows with the number of machines that are there already. */
export async function benchManyMachines(root: string): Promise<Row[]> {
  const house = await household();
  const times = new Map<number, number[]>();
  try {
    await house.json(["image", "pull", "debian-12"]);
    let written = 0;
    for (const count of counts) {
      await house.json(["daemon", "stop"]);
      await writeRecords(house.home, written, count);
      written = count;
      const client = await connectHelper(root, house);
      try {
        const { machines } = await client.call("machines.list", {});
        if (machines.length !== count)
          throw new Error(`the helper lists ${String(machines.length)}`);
        await client.call("templates.warmUp", shape);
        const took: number[] = [];
        for (let i = 0; i < rounds; i++) {
          took.push(
            await timed(async () => {
              const { machine } = await client.call("machines.create", {
                ...shape,
                name: "clone",
              });
              await firstSsh(house, machine.alias);
            }),
          );
          await client.call("machines.delete", { machine: "clone" });
        }
        times.set(count, took);
      } finally {
        client.close();
      }
    }
  } finally {
    // Not one by one: deleting a thousand machines is not what is measured here.
    await house.guesthouse(["delete", "clone"]);
    await house.guesthouse(["daemon", "stop"]);
    await rm(join(house.home, "machines"), { recursive: true, force: true });
    await house[Symbol.asyncDispose]();
  }
  const alone = median(times.get(1) ?? []);
  return [...times].map(([count, took]) => ({
    what: `warm clone to ssh, ${String(count)} other machine${count === 1 ? "" : "s"}`,
    value: spread(took),
    against: `${(median(took) / alone).toFixed(2)} × with one`,
  }));
}
