import { sleep } from "../../src/base/deadline.ts";
import { processUsage } from "../../src/helper/qemu/process.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { eventually, household } from "../vm/household.ts";
import { connectHelper, firstSsh, timed } from "./connect.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 8);
const shape = { image: "debian-12", cpus: 1, memoryMiB: 512 };
const fillMs = 120_000;

/**
 * From `machines.create` to the first ssh command, of a clone that waits in the pool against one that is resumed for it,
 * turn and turn about; the pool is empty then.
 */
export async function benchPool(root: string): Promise<Row[]> {
  const house = await household();
  const client = await connectHelper(root, house);
  const create = async (pooled: boolean): Promise<number> => {
    let createdMs = 0;
    const tookMs = await timed(async () => {
      createdMs = await timed(() =>
        client.call("machines.create", {
          ...shape,
          name: "clone",
        }),
      );
      await firstSsh(house, "gh-clone");
    });
    await client.call("machines.delete", { machine: "clone" });
    (pooled ? created.pooled : created.warm).push(createdMs);
    return tookMs;
  };
  const fill = (count: number): Promise<unknown> =>
    client.call("pool.set", { image: shape.image, count });
  const full = async (): Promise<number> =>
    eventually("a clone in the pool", fillMs, async () => {
      const [pool] = (await client.call("pool.list", {})).pools;
      return pool?.ready === 1 ? pool.memoryBytes : undefined;
    });
  const created: { warm: number[]; pooled: number[] } = {
    warm: [],
    pooled: [],
  };
  try {
    await house.json(["image", "pull", "debian-12"]);
    await client.call("templates.warmUp", shape);
    const warm: number[] = [];
    const pooled: number[] = [];
    const memory: number[] = [];
    for (let i = 0; i < rounds; i++) {
      warm.push(await create(false));
      await fill(1);
      memory.push(await full());
      pooled.push(await create(true));
      await fill(0);
    }
    const idle = await idleProcessor(client);
    return [
      {
        what: "warm clone: machines.create to ssh",
        value: spread(warm),
        against: `created in ${milliseconds(median(created.warm))}`,
      },
      {
        what: "from the pool: machines.create to ssh",
        value: spread(pooled),
        against: `${(median(pooled) / median(warm)).toFixed(2)} × warm clone, created in ${milliseconds(median(created.pooled))}`,
      },
      {
        what: "waiting in the pool (PSS)",
        value: `${(median(memory) / 1024 ** 2).toFixed(0)} MiB`,
        against: `of ${String(shape.memoryMiB)} MiB`,
      },
      {
        what: "a running, idle clone's processor share",
        value: `${(idle * 100).toFixed(2)} %`,
        against: "paused ones take none",
      },
    ];
  } finally {
    client.close();
    await house[Symbol.asyncDispose]();
  }
}

const idleSeconds = 20;

/** What a clone takes of a processor once it has come to rest. */
async function idleProcessor(client: RpcClient): Promise<number> {
  const { machine } = await client.call("machines.create", {
    ...shape,
    name: "idle",
  });
  const used = async (): Promise<number> =>
    (await processUsage(machine.runtime?.pid ?? 0))?.cpuSeconds ?? 0;
  await sleep(idleSeconds * 1000);
  const before = await used();
  await sleep(idleSeconds * 1000);
  return ((await used()) - before) / idleSeconds;
}
