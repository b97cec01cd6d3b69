import type { RpcClient } from "../../src/rpc/call.ts";
import { type Household, household } from "../vm/household.ts";
import { connectHelper, firstSsh, timed } from "./connect.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const memories = [512, 1024, 2048, 4096];

/** Fork, checkpoint, roll back and suspend, each to the first ssh command; and how they grow with the guest's memory. */
export async function benchSnapshots(root: string): Promise<Row[]> {
  const house = await household();
  const client = await connectHelper(root, house);
  try {
    await house.json(["image", "pull", "debian-12"]);
    const rows: Row[] = [];
    for (const memoryMiB of memories)
      rows.push(...(await ofMemory(memoryMiB, house, client)));
    return rows;
  } finally {
    client.close();
    await house[Symbol.asyncDispose]();
  }
}

async function ofMemory(
  memoryMiB: number,
  house: Household,
  client: RpcClient,
): Promise<Row[]> {
  const shape = { image: "debian-12", cpus: 1, memoryMiB };
  await client.call("templates.warmUp", shape);
  const clones: number[] = [];
  const pauses: number[] = [];
  const forks: number[] = [];
  const checkpoints: number[] = [];
  const rollBacks: number[] = [];
  const suspensions: number[] = [];
  const resumptions: number[] = [];
  for (let i = 0; i < rounds; i++) {
    clones.push(
      await timed(async () => {
        await client.call("machines.create", { ...shape, name: "parent" });
        await firstSsh(house, "gh-parent");
      }),
    );
    forks.push(
      await timed(async () => {
        const { pausedMs } = await client.call("machines.fork", {
          machine: "parent",
          name: "child",
        });
        pauses.push(pausedMs);
        await firstSsh(house, "gh-child");
      }),
    );
    await client.call("machines.delete", { machine: "child" });
    checkpoints.push(
      await timed(() =>
        client.call("checkpoints.create", { machine: "parent", note: "here" }),
      ),
    );
    rollBacks.push(
      await timed(async () => {
        await client.call("checkpoints.rollBack", {
          machine: "parent",
          checkpoint: "here",
        });
        await firstSsh(house, "gh-parent");
      }),
    );
    suspensions.push(
      await timed(() => client.call("machines.suspend", { machine: "parent" })),
    );
    resumptions.push(
      await timed(async () => {
        await client.call("machines.start", { machine: "parent" });
        await firstSsh(house, "gh-parent");
      }),
    );
    await client.call("machines.delete", { machine: "parent" });
  }
  const size = `${String(memoryMiB)} MiB`;
  const row = (what: string, values: readonly number[]): Row => ({
    what: `${size}: ${what}`,
    value: spread(values),
    against: `${(median(values) / median(clones)).toFixed(2)} × warm clone`,
  });
  return [
    { ...row("warm clone to ssh", clones), against: "" },
    {
      ...row("fork: the parent stands still", pauses),
      against: `longest ${milliseconds(Math.max(...pauses))}`,
    },
    row("fork to ssh", forks),
    row("checkpoint", checkpoints),
    row("roll back to ssh", rollBacks),
    row("suspend", suspensions),
    row("resume to ssh", resumptions),
  ];
}
