import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { CameUp } from "../../src/protocol/devcontainers.ts";
import type { Image } from "../../src/protocol/images.ts";
import { type Household, household } from "../vm/household.ts";
import { milliseconds, type Row } from "./report.ts";

const examples = [
  "python-service",
  "node-web",
  "c-service",
  "docker-in-vm",
  "monorepo",
];

/**
 * Each example from nothing to the end of `postCreateCommand`, then a new VM of it from its prebuild, in one run; both with a
 * warm template of what they are cloned from, as a second opening has it. Making the prebuild is told too.
 * `BENCH_EXAMPLES=node-web,monorepo` takes some of them.
 */
export async function benchPrebuild(root: string): Promise<Row[]> {
  const wished = process.env["BENCH_EXAMPLES"]?.split(",") ?? examples;
  const house = await household();
  const folder = await mkdtemp(join(tmpdir(), "gh-prebuild-"));
  const rows: Row[] = [];
  try {
    await house.json(["image", "pull", "debian-12"]);
    for (const name of wished) {
      const here = join(folder, name);
      if (name === "monorepo")
        await execa(join(root, "examples", name, "generate.sh"), [here]);
      else await cp(join(root, "examples", name), here, { recursive: true });
      rows.push(...(await ofExample(name, here, house)));
    }
    return rows;
  } finally {
    await house[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

async function ofExample(
  name: string,
  here: string,
  house: Household,
): Promise<Row[]> {
  // The first machine tells the size that the file asks for.
  const up = async (...flags: string[]): Promise<number> => {
    const startedAt = performance.now();
    const came = await house.json<CameUp>(["up", here, ...flags]);
    const after = came.stages
      .filter(({ stage }) => /^post(Start|Attach)/.test(stage))
      .reduce((sum, { tookMs }) => sum + tookMs, 0);
    return performance.now() - startedAt - after;
  };
  const drop = (): Promise<unknown> =>
    house.json(["down", here, "--delete", "--discard"]);
  const cold = await up("--cold");
  const [machine] = await house.json<{ cpus: number; memoryMiB: number }[]>([
    "list",
  ]);
  const size = [
    ...["--cpus", String(machine?.cpus)],
    ...["--memory", `${String(machine?.memoryMiB)}M`],
  ];
  await drop();
  await house.json(["template", "warm-up", "debian-12", ...size]);
  const nothing = await up();
  await drop();
  const startedAt = performance.now();
  const { image } = await house.json<{ image: Image }>(["prebuild", here]);
  const making = performance.now() - startedAt;
  await house.json(["template", "warm-up", image.name, ...size]);
  const prebuilt = await up();
  await drop();
  await house.json(["image", "delete", image.name]);
  process.stderr.write(
    `  ${name}: ${milliseconds(cold)} booted, ${milliseconds(nothing)} warm, ${milliseconds(prebuilt)} from its prebuild\n`,
  );
  return [
    {
      what: `${name}: from nothing, booted`,
      value: milliseconds(cold),
      against: "",
    },
    {
      what: `${name}: from nothing, warm`,
      value: milliseconds(nothing),
      against: "",
    },
    {
      what: `${name}: from its prebuild, warm`,
      value: milliseconds(prebuilt),
      against: `${(prebuilt / nothing).toFixed(2)} × from nothing, ${(prebuilt / cold).toFixed(2)} × booted`,
    },
    {
      what: `${name}: making the prebuild`,
      value: milliseconds(making),
      against: `${((image.sizeBytes ?? 0) / 1e6).toFixed(0)} MB`,
    },
  ];
}
