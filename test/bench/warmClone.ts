import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import type { RpcClient } from "../../src/rpc/call.ts";
import { type Household, household } from "../vm/household.ts";
import { connectHelper, firstSsh } from "./connect.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";
import { type Bare, floorOf, resumeBare } from "./warmFloor.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 10);
const groups = [1, 4, 8, 16];
const memoryMiB = 512;
const shape = { image: "debian-12", cpus: 1, memoryMiB };

/**
 * From a click to the first ssh command on a machine of its own host key: `machines.create` over an open connection, as
 * the editor does it, and ssh; against a script that knows everything beforehand (`warmFloor.ts`); against the command
 * line; against our own cold clone. Turn and turn about.
 */
export async function benchWarmClone(root: string): Promise<Row[]> {
  const house = await household();
  const client = await connectHelper(root, house);
  try {
    await house.json(["image", "pull", "debian-12"]);
    const madeAt = performance.now();
    const { template } = await client.call("templates.warmUp", shape);
    const making = performance.now() - madeAt;
    const { machine: model } = await client.call("machines.create", {
      ...shape,
      name: "model",
    });
    const floor = await floorOf(house, template, model);
    await house.json(["stop", "--force", "model"]);

    const floors: number[] = [];
    const ours: number[] = [];
    const commands: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const bare = await resumeBare(floor);
      floors.push(bare.tookMs);
      await bare.end();
      ours.push(await cloneOnce(house, client, "clone"));
      commands.push(await cloneByCommand(house));
    }
    const cold: number[] = [];
    for (let i = 0; i < Math.min(rounds, 3); i++)
      cold.push(await cloneOnce(house, client, "cold", false));

    const rows: Row[] = [
      {
        what: "making a template",
        value: milliseconds(making),
        against: size(template),
      },
      {
        what: "warm: script with bare QEMU (floor)",
        value: spread(floors),
        against: "1.00 × floor",
      },
      {
        what: "warm: machines.create to ssh",
        value: spread(ours),
        against: `${ratio(ours, floors)} × floor (target 1.15)`,
      },
      {
        what: "warm: guesthouse create to ssh",
        value: spread(commands),
        against: `${ratio(commands, floors)} × floor`,
      },
      {
        what: "cold: machines.create to ssh",
        value: spread(cold),
        against: `${ratio(cold, ours)} × warm (target 10)`,
      },
    ];
    for (const count of groups)
      rows.push(...(await together(count, house, client, floor)));
    return rows;
  } finally {
    client.close();
    await house[Symbol.asyncDispose]();
  }
}

const ratio = (one: readonly number[], other: readonly number[]): string =>
  (median(one) / median(other)).toFixed(2);

const size = ({ sizeBytes }: Template): string =>
  `${(sizeBytes / 1024 ** 2).toFixed(0)} MiB on disk`;

async function cloneOnce(
  house: Household,
  client: RpcClient,
  name: string,
  warm = true,
): Promise<number> {
  const startedAt = performance.now();
  const { machine } = await client.call("machines.create", {
    ...shape,
    name,
    warm,
  });
  await firstSsh(house, machine.alias);
  const tookMs = performance.now() - startedAt;
  await client.call("machines.delete", { machine: name });
  return tookMs;
}

async function cloneByCommand(house: Household): Promise<number> {
  const startedAt = performance.now();
  const machine = await house.json<Machine>([
    ...["create", "typed", "--cpus", "1", "--memory", `${String(memoryMiB)}M`],
  ]);
  await firstSsh(house, machine.alias);
  const tookMs = performance.now() - startedAt;
  await house.json(["delete", "typed"]);
  return tookMs;
}

/** Several at once: time until all have answered ssh, and what each takes when it is idle. */
async function together(
  count: number,
  house: Household,
  client: RpcClient,
  floor: Parameters<typeof resumeBare>[0],
): Promise<Row[]> {
  const bareAt = performance.now();
  const bares: Bare[] = await Promise.all(
    Array.from({ length: count }, () => resumeBare(floor)),
  );
  const bareMs = performance.now() - bareAt;
  for (const bare of bares) await bare.end();

  const startedAt = performance.now();
  const machines = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const { machine } = await client.call("machines.create", {
        ...shape,
        name: `many-${String(i)}`,
      });
      await firstSsh(house, machine.alias);
      return machine;
    }),
  );
  const tookMs = performance.now() - startedAt;
  const memory: number[] = [];
  const disk: number[] = [];
  for (const { id, runtime } of machines) {
    memory.push(await proportionalMiB(runtime?.pid ?? 0));
    disk.push(
      (await stat(join(house.home, "machines", id, "disk.qcow2"))).blocks / 2,
    );
  }
  for (const { name } of machines)
    await client.call("machines.delete", { machine: name });
  const share = (100 * median(memory)) / memoryMiB;
  return [
    {
      what: `${String(count)} at once, all at ssh`,
      value: milliseconds(tookMs),
      against: `${(tookMs / bareMs).toFixed(2)} × floor of ${milliseconds(bareMs)} (target 1.3)`,
    },
    {
      what: `  memory of each (PSS), disk of each`,
      value: `${median(memory).toFixed(0)} MiB, ${median(disk).toFixed(0)} KiB`,
      against: `${share.toFixed(0)} % of its ${String(memoryMiB)} MiB (target 25 %)`,
    },
  ];
}

async function proportionalMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? NaN) / 1024;
}
