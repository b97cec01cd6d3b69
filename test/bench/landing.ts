import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startImageRegistry } from "../../scripts/lib/imageRegistry.mjs";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import { type Household, household } from "../vm/household.ts";
import { engineShape } from "../vm/warmGuests.ts";
import { timed } from "./connect.ts";
import { median, milliseconds, type Row, spread } from "./report.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const sessionsAtOnce = 10;
const heldConnections = 5;

/** Where a connection leads to: into the dev container, or to the VM by plain sshd. */
type End = "container" | "vm";
const ends: readonly End[] = ["vm", "container"];
type Times = Record<End, number[]>;

/**
 * SSH into a dev container against SSH into the VM around it, turn and turn about: a connection, a command over a
 * ControlMaster, 100 MB out, ten sessions at once, memory of a connection; and a second `up`, which has nothing to do.
 */
export async function benchLanding(): Promise<Row[]> {
  const registry = await startImageRegistry();
  const house = await household(
    registry.env(`http://10.0.2.2:${String(registry.port)}`),
  );
  const folder = await mkdtemp(join(tmpdir(), "gh-landing-"));
  try {
    await house.json(["image", "pull", "containers"]);
    await mkdir(join(folder, ".devcontainer"));
    const [, cpus, , memory] = engineShape;
    await writeFile(
      join(folder, ".devcontainer", "devcontainer.json"),
      JSON.stringify({
        image: "mcr.microsoft.com/devcontainers/base:bookworm",
        customizations: {
          guesthouse: { cpus: Number(cpus), memory: `${memory}b` },
        },
      }),
    );
    const { alias } = await house.json<CameUp>(["up", folder]);
    const aliases = { container: alias, vm: `${alias}-vm` };
    return [
      ...(await connections(house, aliases)),
      ...(await overMaster(house, aliases, folder)),
      ...(await memoryOf(house, aliases)),
      await secondUp(house, folder),
    ];
  } finally {
    await house[Symbol.asyncDispose]();
    await registry.close();
    await rm(folder, { recursive: true, force: true });
  }
}

type Aliases = Readonly<Record<End, string>>;

async function connections(house: Household, aliases: Aliases): Promise<Row[]> {
  const one = (end: End): Promise<void> => run(house, aliases[end], "true");
  return [
    ...(await compared("a connection", one, "target 1.2")),
    ...(await compared(
      "100 MB out",
      (end) =>
        run(house, aliases[end], "head -c 100000000 /dev/zero", [
          "-o",
          "Compression=no",
        ]),
      "",
    )),
    ...(await compared(
      `${String(sessionsAtOnce)} sessions at once`,
      async (end) => {
        await Promise.all(
          Array.from({ length: sessionsAtOnce }, () => one(end)),
        );
      },
      "",
    )),
  ];
}

async function overMaster(
  house: Household,
  aliases: Aliases,
  folder: string,
): Promise<Row[]> {
  const options = (end: End): string[] => [
    ...["-o", "ControlMaster=auto", "-o", "ControlPersist=600"],
    ...["-o", `ControlPath=${join(folder, `${end}.master`)}`],
  ];
  for (const end of ends) await run(house, aliases[end], "true", options(end));
  try {
    return await compared(
      "a command over a ControlMaster",
      (end) => run(house, aliases[end], "true", options(end)),
      "",
    );
  } finally {
    for (const end of ends)
      await house.ssh(aliases[end], [], ["-O", "exit", ...options(end)]);
  }
}

/** Turn and turn about, after one of each that isn't counted. */
async function compared(
  what: string,
  work: (end: End) => Promise<void>,
  target: string,
): Promise<Row[]> {
  const times: Times = { vm: [], container: [] };
  for (const end of ends) await work(end);
  for (let i = 0; i < rounds; i++)
    for (const end of ends) times[end].push(await timed(() => work(end)));
  return [
    { what: `${what}: the VM`, value: spread(times.vm), against: "" },
    {
      what: `${what}: the container`,
      value: spread(times.container),
      against:
        `${(median(times.container) / median(times.vm)).toFixed(2)} × the VM ${target}`.trim(),
    },
  ];
}

/** What connections that are held open add to the proportional memory of all processes of the VM. */
async function memoryOf(house: Household, aliases: Aliases): Promise<Row[]> {
  const rows: Row[] = [];
  for (const end of ends) {
    const before = await pssKiB(house, aliases.vm);
    const held = Array.from({ length: heldConnections }, () =>
      spawn("ssh", [
        ...["-F", house.sshConfig, "-o", "BatchMode=yes"],
        ...[aliases[end], "echo here; exec sleep 600"],
      ]),
    );
    await Promise.all(
      held.map(
        ({ stdout }) =>
          new Promise<void>((resolve) =>
            stdout.once("data", () => {
              resolve();
            }),
          ),
      ),
    );
    const each = ((await pssKiB(house, aliases.vm)) - before) / heldConnections;
    for (const one of held) one.kill();
    rows.push({
      what: `memory of a connection: the ${end === "vm" ? "VM" : end}`,
      value: `${(each / 1024).toFixed(1)} MiB`,
      against: `n = ${String(heldConnections)}, with its sleep`,
    });
  }
  return rows;
}

async function pssKiB(house: Household, alias: string): Promise<number> {
  const { stdout } = await house.ssh(alias, [
    "sudo sh -c 'cat /proc/[0-9]*/smaps_rollup 2>/dev/null' | awk '/^Pss:/ { sum += $2 } END { print sum }'",
  ]);
  return Number(stdout);
}

async function secondUp(house: Household, folder: string): Promise<Row> {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++)
    times.push(await timed(() => house.json(["up", folder])));
  return {
    what: "a second up of a running VM",
    value: spread(times),
    against: `target ≤ ${milliseconds(3_000)}`,
  };
}

async function run(
  house: Household,
  alias: string,
  command: string,
  options: readonly string[] = [],
): Promise<void> {
  const { exitCode, stderr } = await house.ssh(alias, [command], options);
  if (exitCode !== 0)
    throw new Error(`${command} by ${alias} failed: ${stderr}`);
}
