import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { runHostTests } from "../editor/harness/hostTests.ts";
import { packSmallExtension } from "../editor/harness/smallExtension.ts";
import { median, type Row, spread } from "./report.ts";

const guesthouse = "guesthouse.guesthouse";
const bare = "guesthouse-test.small";
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);

const usedSchema = z.object({ [guesthouse]: z.number(), [bare]: z.number() });

/** Processor time of activation in a real extension host, beside an extension that does nothing. */
export async function benchActivation(root: string): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "gh-activation-"));
  const usedFile = join(folder, "used.json");
  const ours: number[] = [];
  const floor: number[] = [];
  try {
    const small = join(folder, "small");
    await packSmallExtension(small, "small");
    for (let round = 0; round < rounds; round++) {
      // The first that is activated pays for what both need.
      const order = round % 2 === 0 ? [bare, guesthouse] : [guesthouse, bare];
      const [test] = await runHostTests({
        entry: fileURLToPath(new URL("activation/host.ts", import.meta.url)),
        extensionDevelopmentPath: [root, small],
        env: {
          GUESTHOUSE_HOME: join(folder, "home"),
          GUESTHOUSE_BENCH_EXTENSIONS: order.join(","),
          GUESTHOUSE_BENCH_ACTIVATION: usedFile,
        },
      });
      if (test?.state !== "passed")
        throw new Error(test?.error ?? "no activation was measured");
      const used = usedSchema.parse(
        JSON.parse(await readFile(usedFile, "utf8")),
      );
      ours.push(used[guesthouse]);
      floor.push(used[bare]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return [
    {
      what: "activation, processor time",
      value: spread(ours),
      against: "target < 50 ms",
    },
    {
      what: "activation of an extension that does nothing",
      value: spread(floor),
      against: `${(median(ours) - median(floor)).toFixed(1)} ms less`,
    },
  ];
}
