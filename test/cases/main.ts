/**
 * The yardstick: brings each case up by an engine, looks into its container, and reports. Results are kept in the run
 * folder as they come, so an interrupted run goes on where it stopped.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startImageRegistry } from "../../scripts/lib/imageRegistry.mjs";
import type { Case } from "./case.ts";
import type { Engine } from "./engine.ts";
import { startGuesthouse } from "./engines/guesthouse.ts";
import { startNative } from "./engines/native.ts";
import { keyOf, writeFolder } from "./folder.ts";
import { cases } from "./list.ts";
import { differences } from "./outcome.ts";
import { report, type Result, resultSchema } from "./report.ts";

const help = `npm run cases -- [options] [name…]

  name            run these cases only (a part of a name is enough)
  --engine <who>  reference (default): the reference command line with an engine of its own, as root;
                  guesthouse: the product, from dist/
  --run <folder>  where results, logs and the engine's data are kept (default: guesthouse-cases in the folder for
                  temporary files)
  --again         run also what has a result already; --failed: only what failed
  --list          list the cases
  --report        print the report of the results there are, run nothing
`;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export async function main(
  checkout: string,
  args: readonly string[],
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      engine: { type: "string", default: "reference" },
      run: { type: "string", default: join(tmpdir(), "guesthouse-cases") },
      again: { type: "boolean", default: false },
      failed: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const chosen = cases.filter(
    ({ name }) =>
      positionals.length === 0 ||
      positionals.some((part) => name.includes(part)),
  );
  if (values.help) print(help);
  else if (values.list)
    for (const { name, about } of chosen) print(`${name.padEnd(32)} ${about}`);
  else {
    const place = new Place(checkout, resolve(values.run));
    if (!values.report) {
      const due = await place.due(chosen, values);
      print(
        `${String(due.length)} of ${String(chosen.length)} cases to run in ${place.root}`,
      );
      if (due.length > 0) await runAll(place, due, values.engine);
    }
    const results = await place.results(chosen);
    const text = report(chosen, results);
    await writeFile(join(place.root, "report.md"), text);
    print(text);
    return results.some(
      ({ outcome, engine }) =>
        outcome === "failed" && engine.startsWith(values.engine),
    )
      ? 1
      : 0;
  }
  return 0;
}

/** The run folder. */
class Place {
  readonly checkout: string;
  readonly root: string;
  readonly sources: string;

  constructor(checkout: string, root: string) {
    this.checkout = checkout;
    this.root = root;
    this.sources = join(checkout, "test/cases/folders");
  }

  async #kept(one: Case, engine: string): Promise<Result | undefined> {
    const text = await readFile(
      join(this.root, "results", engine, `${one.name}.json`),
      "utf8",
    ).catch(() => undefined);
    if (text === undefined) return undefined;
    const result = resultSchema.safeParse(JSON.parse(text));
    return result.success &&
      result.data.key === (await keyOf(one, this.sources))
      ? result.data
      : undefined;
  }

  async keep(engine: string, result: Result, log: string): Promise<void> {
    for (const [kind, ending, text] of [
      ["results", "json", JSON.stringify(result, null, 2)],
      ["logs", "log", log],
    ] as const) {
      const folder = join(this.root, kind, engine);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `${result.name}.${ending}`), text);
    }
  }

  async due(
    chosen: readonly Case[],
    {
      engine,
      again,
      failed,
    }: {
      readonly engine: string;
      readonly again: boolean;
      readonly failed: boolean;
    },
  ): Promise<Case[]> {
    const due: Case[] = [];
    for (const one of chosen) {
      const kept = await this.#kept(one, engine);
      if (again || kept === undefined || (failed && kept.outcome === "failed"))
        due.push(one);
    }
    return due;
  }

  /** Of all engines. */
  async results(chosen: readonly Case[]): Promise<Result[]> {
    const all: Result[] = [];
    for (const engine of ["reference", "guesthouse"])
      for (const one of chosen) {
        const kept = await this.#kept(one, engine);
        if (kept) all.push(kept);
      }
    return all;
  }
}

async function runAll(
  place: Place,
  due: readonly Case[],
  kind: string,
): Promise<void> {
  await mkdir(place.root, { recursive: true });
  const registry = await startImageRegistry();
  let engine: Engine | undefined;
  const stop = new AbortController();
  const stopped = (): void => stop.abort();
  process.once("SIGINT", stopped).once("SIGTERM", stopped);
  try {
    engine = await (kind === "guesthouse" ? startGuesthouse : startNative)(
      place.checkout,
      join(place.root, kind),
      registry,
    );
    for (const one of due) {
      if (stop.signal.aborted) break;
      const asked = registry.requests.length;
      const { result, log } = await runOne(place, engine, one, kind);
      const requests = registry.requests
        .slice(asked)
        .map(
          ({ method, host, path, status }) =>
            `${method} ${host}${path} ${String(status)}`,
        );
      await place.keep(
        kind,
        result,
        `${log}\n── asked of registries ──\n${requests.join("\n")}\n`,
      );
      print(
        `${result.outcome.padEnd(8)} ${one.name.padEnd(32)} ${result.seconds.toFixed(1)} s ${result.why.join("; ")}`,
      );
    }
  } finally {
    process.off("SIGINT", stopped).off("SIGTERM", stopped);
    await engine?.close();
    await registry.close();
  }
}

async function runOne(
  place: Place,
  engine: Engine,
  original: Case,
  kind: string,
): Promise<{ result: Result; log: string }> {
  const key = await keyOf(original, place.sources);
  const result = (
    outcome: Result["outcome"],
    seconds: number,
    why: string[],
  ): Result => ({
    name: original.name,
    engine: engine.name,
    key,
    outcome,
    seconds,
    why,
  });
  const unfit = engine.unfit(original);
  if (unfit !== undefined)
    return { result: result("skipped", 0, [unfit]), log: unfit };
  const { folder, one } = await writeFolder(
    original,
    place.sources,
    join(place.root, kind, "folders"),
  );
  const beganMs = performance.now();
  try {
    const came = await engine.up(one, folder);
    const seconds = (performance.now() - beganMs) / 1000;
    const why =
      "failure" in came
        ? unmet(one, came.failure)
        : await seen(engine, one, came);
    return {
      result: result(outcomeOf(original, kind, why), seconds, why),
      log: came.log,
    };
  } catch (error) {
    return {
      result: result("failed", (performance.now() - beganMs) / 1000, [
        String(error),
      ]),
      log: String(error),
    };
  } finally {
    await engine.down(one, folder);
    await rm(folder, { recursive: true, force: true });
  }
}

function outcomeOf(
  { referenceFails }: Case,
  kind: string,
  why: readonly string[],
): Result["outcome"] {
  if (why.length === 0) return "passed";
  return kind === "reference" && referenceFails !== undefined
    ? "known"
    : "failed";
}

/** What is wrong with a folder that didn't come up. */
const unmet = ({ expected: { fails } }: Case, failure: string): string[] =>
  fails?.test(failure) === true ? [] : [`didn't come up: ${failure}`];

async function seen(
  engine: Engine,
  one: Case,
  came: Exclude<Awaited<ReturnType<Engine["up"]>>, { failure: string }>,
): Promise<string[]> {
  if (one.expected.fails)
    return [`came up, though it should say ${String(one.expected.fails)}`];
  const differ = await differences(one, came.run, came.reported);
  for (const [port, says] of Object.entries(one.expected.published ?? {})) {
    const answer = await engine.reach(Number(port));
    if (
      answer === undefined ||
      !(typeof says === "string" ? answer === says : says.test(answer))
    )
      differ.push(
        `port ${port} says “${answer ?? "nothing"}”, expected ${String(says)}`,
      );
  }
  return differ;
}
