import {
  cp,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parse } from "jsonc-parser";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import type { Image } from "../../src/protocol/images.ts";
import {
  type FeatureRegistry,
  missingRegistry,
  startFeatureRegistry,
} from "../fakes/featureRegistry.ts";
import { type Household, household } from "../vm/household.ts";
import { milliseconds, type Row } from "./report.ts";

const examples = [
  "python-service",
  "python-features",
  "node-web",
  "c-service",
  "docker-in-vm",
  "monorepo",
];

/**
 * Each example from nothing to the end of `postCreateCommand`, then a new VM of it from its prebuild, in one run; both with a
 * warm template of what they are cloned from, as a second opening has it. Making the prebuild is told too.
 * `BENCH_EXAMPLES=node-web,monorepo` takes some of them; `BENCH_ONCE=1` leaves out
 * the second time from nothing, which has a warm template.
 */
export async function benchPrebuild(root: string): Promise<Row[]> {
  const wished = process.env["BENCH_EXAMPLES"]?.split(",") ?? examples;
  const house = await household();
  const folder = await mkdtemp(join(tmpdir(), "gh-prebuild-"));
  const registry =
    wished.includes("python-features") && missingRegistry === undefined
      ? await startFeatureRegistry()
      : undefined;
  const rows: Row[] = [];
  try {
    await house.json(["image", "pull", "debian-12"]);
    for (const name of wished) {
      const here = join(folder, name);
      if (name === "monorepo")
        await execa(join(root, "examples", name, "generate.sh"), [here]);
      else await cp(join(root, "examples", name), here, { recursive: true });
      if (name === "python-features" && registry !== undefined)
        await publishFeatures(here, registry);
      rows.push(...(await ofExample(name, here, house)));
    }
    return rows;
  } finally {
    await registry?.close();
    await house[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The example's own features come from a registry of this host then, as those of others do. */
async function publishFeatures(
  here: string,
  registry: FeatureRegistry,
): Promise<void> {
  const folder = join(here, ".devcontainer");
  const file = join(folder, "devcontainer.json");
  const ids = ["greeter", "python-tools"];
  // One names the other as well.
  const published = (text: string): string =>
    ids.reduce(
      (done, id) =>
        done.replace(`"./${id}"`, `"${registry.name}/example/${id}:1"`),
      text,
    );
  for (const id of ids) {
    const at = join(folder, id);
    const others = (await readdir(at)).filter(
      (name) => name !== "devcontainer-feature.json" && name !== "install.sh",
    );
    await registry.push(
      `example/${id}`,
      ["1"],
      parse(
        published(
          await readFile(join(at, "devcontainer-feature.json"), "utf8"),
        ),
      ) as object,
      await readFile(join(at, "install.sh"), "utf8"),
      await Promise.all(
        others.map(async (name) => ({
          name: `./${name}`,
          content: await readFile(join(at, name), "utf8"),
        })),
      ),
    );
    await rm(at, { recursive: true });
  }
  await writeFile(file, published(await readFile(file, "utf8")));
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
  const booted = await up("--cold");
  const [machine] = await house.json<{ cpus: number; memoryMiB: number }[]>([
    "list",
  ]);
  const size = [
    ...["--cpus", String(machine?.cpus)],
    ...["--memory", `${String(machine?.memoryMiB)}M`],
  ];
  await drop();
  let warm: number | undefined;
  if (process.env["BENCH_ONCE"] === undefined) {
    await house.json(["template", "warm-up", "debian-12", ...size]);
    warm = await up();
    await drop();
  }
  const startedAt = performance.now();
  const { image } = await house.json<{ image: Image }>(["prebuild", here]);
  const making = performance.now() - startedAt;
  await house.json(["template", "warm-up", image.name, ...size]);
  const prebuilt = await up();
  await drop();
  await house.json(["image", "delete", image.name]);
  const ratio = (to: number): string => (prebuilt / to).toFixed(2);
  process.stderr.write(
    `  ${name}: ${milliseconds(booted)} booted, ${milliseconds(prebuilt)} from its prebuild: ${ratio(booted)}\n`,
  );
  return [
    {
      what: `${name}: from nothing, booted`,
      value: milliseconds(booted),
      against: "",
    },
    ...(warm === undefined
      ? []
      : [
          {
            what: `${name}: from nothing, warm`,
            value: milliseconds(warm),
            against: "",
          },
        ]),
    {
      what: `${name}: from its prebuild, warm`,
      value: milliseconds(prebuilt),
      against: `${ratio(booted)} × booted${warm === undefined ? "" : `, ${ratio(warm)} × warm`}`,
    },
    {
      what: `${name}: making the prebuild`,
      value: milliseconds(making),
      against: `${((image.sizeBytes ?? 0) / 1e6).toFixed(0)} MB`,
    },
  ];
}
