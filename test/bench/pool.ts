import { sleep } from "../../src/base/deadline.ts";
import { processUsage } from "../../src/helper/qemu/process.ts";
import { eventually } from "../vm/household.ts";
import { type BenchHouse, benchHouse, firstSsh, timed } from "./benchHouse.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 8);
const shape = { image: "debian-12", cpus: 1, memoryMiB: 512 };
const fillMs = 120_000;

/**
 * From `machines.create` to the first ssh command, of a clone that waits in the pool against one that is resumed for it,
 * turn and turn about. A machine with a forwarded port can't come of the pool.
 */
export async function benchPool(root: string): Promise<Row[]> {
  await using household = await benchHouse(root);
  const { house, client } = household;
  const create = async (pooled: boolean): Promise<number> => {
    let createdMs = 0;
    const tookMs = await timed(async () => {
      createdMs = await timed(() =>
        client.call("machines.create", {
          ...shape,
          name: "clone",
          forwards: pooled
            ? []
            : [{ hostPort: 0, guestPort: 80, protocol: "tcp" }],
        }),
      );
      await firstSsh(house, "gh-clone");
    });
    await client.call("machines.delete", { machine: "clone" });
    (pooled ? created.pooled : created.warm).push(createdMs);
    return tookMs;
  };
  const full = async (): Promise<number> =>
    eventually("a clone in the pool", fillMs, async () => {
      const [pool] = (await client.call("pool.list", {})).pools;
      return pool?.ready === 1 ? pool.memoryBytes : undefined;
    });
  const created: { warm: number[]; pooled: number[] } = {
    warm: [],
    pooled: [],
  };
  await client.call("templates.warmUp", shape);
  await client.call("pool.set", { image: shape.image, count: 1 });
  const warm: number[] = [];
  const pooled: number[] = [];
  const memory: number[] = [];
  for (let i = 0; i < rounds; i++) {
    memory.push(await full());
    warm.push(await create(false));
    pooled.push(await create(true));
  }
  const idle = await idleProcessor(household);
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
}

const idleSeconds = 20;

/** What a clone takes of a processor once it has come to rest. */
async function idleProcessor({ client }: BenchHouse): Promise<number> {
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
