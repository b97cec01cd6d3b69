import { given } from "../../../../base/given.ts";
import type { InstallStage } from "../../jobs/progress.ts";
import type { WindowsStep } from "../steps/steps.ts";
import type { InstallResults } from "./results.ts";

/** What is seen at one moment of an installation, or of the preparation of a disk that came with Windows. */
export interface InstallSight {
  readonly atMs: number;
  /** What the disk takes on the host. */
  readonly diskBytes: number;
  /** Resets that QEMU told of, those of an earlier helper's time included. */
  readonly resets: number;
  /** QEMU has ended. */
  readonly off: boolean;
  /** Absent while no agent answers. */
  readonly results?: InstallResults;
  /** Of a preparation: whether the steps were begun, or why they could not be where somebody inside answered. */
  readonly begun?: true | { readonly refusal: string };
}

/** What is remembered between two looks. */
export interface InstallWatch {
  /** Restarts of Windows' setup. */
  readonly restarts: number;
  readonly stage: InstallStage;
  readonly sinceMs: number;
  /** Of the last sign of life. */
  readonly movedAtMs: number;
  readonly diskBytes: number;
  readonly resets: number;
  /** The last results, which stay true while the agent is away for a restart. */
  readonly results?: InstallResults;
}

export type InstallWord =
  | {
      readonly kind: "going";
      readonly stage: InstallStage;
      readonly detail?: string;
      /** Of the stage's steps, where they are counted. */
      readonly fraction?: number;
      /** For how long nothing has moved, once that is long. */
      readonly stalledMs?: number;
    }
  | { readonly kind: "ready"; readonly results: InstallResults }
  /** `steps` couldn't be mended; else the machine ended or stood still. */
  | {
      readonly kind: "failed";
      readonly why: "steps" | "off" | "stalled" | "marker" | "unreached";
      readonly message: string;
      readonly results?: InstallResults;
    };

export interface InstallRules {
  readonly steps: readonly WindowsStep[];
  /** Digest that the marker must name. */
  readonly manifest: string;
  /** Nothing moved for this long: it is told, and somebody may help at the screen. */
  readonly stallMs: number;
  /** And for this long: it is given up. */
  readonly giveUpMs: number;
  /** Of a disk that came with Windows: by then somebody inside has taken the steps, or it is given up. */
  readonly reachMs?: number;
}

/** An empty disk takes less, with its partitions too; Windows' setup copies gigabytes. */
const begunBytes = 4 * 2 ** 20;
/** Growth that counts: a system that waits at a question writes a little, too. */
const growthBytes = 2 ** 20;

/** Where an installation stands that a helper takes on, or begins. */
export const firstWatch = (
  atMs: number,
  resets: number,
  restarts: number,
): InstallWatch => ({
  restarts,
  stage: "firmware",
  sinceMs: atMs,
  movedAtMs: atMs,
  diskBytes: 0,
  resets,
});

/** One look further. Pure: everything that is known comes in `before` and `sight`. */
export function look(
  before: InstallWatch,
  sight: InstallSight,
  rules: InstallRules,
): { readonly watch: InstallWatch; readonly word: InstallWord } {
  // Firmware resets on its own account before anything is installed.
  const begun =
    before.stage !== "firmware" ||
    before.restarts > 0 ||
    sight.diskBytes >= begunBytes;
  const resets = sight.resets - before.resets;
  const restarts = before.restarts + (begun ? resets : 0);
  const results = sight.results ?? before.results;
  const grown = Math.abs(sight.diskBytes - before.diskBytes) >= growthBytes;
  const moved =
    grown ||
    resets > 0 ||
    (sight.results !== undefined &&
      signOf(sight.results) !== signOf(before.results));
  const stage =
    rules.reachMs === undefined
      ? stageOf(begun, restarts, results)
      : stageOfDisk(begun, sight.begun === true, results);
  const watch: InstallWatch = {
    restarts,
    stage,
    sinceMs: before.sinceMs,
    movedAtMs: moved ? sight.atMs : before.movedAtMs,
    diskBytes: grown ? sight.diskBytes : before.diskBytes,
    resets: sight.resets,
    ...given({ results }),
  };
  return { watch, word: wordOf(watch, sight, rules) };
}

function wordOf(
  { stage, restarts, sinceMs, movedAtMs, results }: InstallWatch,
  sight: InstallSight,
  rules: InstallRules,
): InstallWord {
  const end = results && endOf(results, rules);
  if (end !== undefined) return end;
  const known = results === undefined ? {} : { results };
  if (sight.off)
    return {
      kind: "failed",
      why: "off",
      message: `The machine switched itself off in the stage ${stage}.`,
      ...known,
    };
  const { reachMs = Infinity } = rules;
  const { begun } = sight;
  if (begun !== true && sight.atMs - sinceMs >= reachMs)
    return {
      kind: "failed",
      why: "unreached",
      message:
        begun === undefined
          ? `Nobody inside answered within ${duration(reachMs)}: no guest agent, and no SSH server that we could log in to.`
          : `The steps couldn't be begun within ${duration(reachMs)}: ${begun.refusal}`,
    };
  const stillMs = sight.atMs - movedAtMs;
  if (stillMs >= rules.giveUpMs)
    return {
      kind: "failed",
      why: "stalled",
      message: `Nothing has moved for ${duration(stillMs)} in the stage ${stage}: the disk didn't grow, nothing restarted, no step ended.`,
      ...known,
    };
  const stalled = stillMs >= rules.stallMs;
  const { text, fraction } = stepsOf(stage, results, rules.steps);
  const parts = [
    ...(stalled
      ? [`nothing has moved for ${duration(stillMs)}, look at its screen`]
      : []),
    ...(text === undefined ? [] : [text]),
    ...(restarts === 0
      ? []
      : [restarts === 1 ? "1 restart" : `${String(restarts)} restarts`]),
  ];
  return {
    kind: "going",
    stage,
    ...(parts.length === 0 ? {} : { detail: parts.join(", ") }),
    ...given({ fraction }),
    ...(stalled ? { stalledMs: stillMs } : {}),
  };
}

function endOf(
  results: InstallResults,
  { steps, manifest, reachMs }: InstallRules,
): InstallWord | undefined {
  if (results.ready === manifest) return { kind: "ready", results };
  if (results.ready !== undefined)
    return {
      kind: "failed",
      why: "marker",
      message: "Windows says that it is ready, but by other steps than these.",
      results,
    };
  // The last step is the marker's own: without it nobody would ever say ready.
  const marker = steps.at(-1);
  const ofMarker = marker && results.steps.get(marker.id);
  const failed =
    results.failed ?? (ofMarker?.ok === false ? [ofMarker.id] : undefined);
  if (failed === undefined) return undefined;
  const reasons = failed.map((id) => {
    const title = steps.find((step) => step.id === id)?.title ?? id;
    const reason = results.steps.get(id)?.reason ?? "";
    return reason === "" ? title : `${title}: ${reason}`;
  });
  return {
    kind: "failed",
    why: "steps",
    message: `${reachMs === undefined ? "Windows is installed" : "Windows runs"}, but ${failed.length === 1 ? "a step" : `${String(failed.length)} steps`} couldn't be mended. ${reasons.join(" ")}`,
    results,
  };
}

/**
 * The scripts say themselves where they are, once the agent is there. Before that restarts tell: setup restarts when it
 * has copied Windows, and again after `specialize`.
 */
function stageOf(
  begun: boolean,
  restarts: number,
  results: InstallResults | undefined,
): InstallStage {
  if (results !== undefined && results.steps.size > 0) {
    const parts = [...results.steps.values()].map(({ part }) => part);
    if (results.round > 0)
      return parts.includes("Remediate") ? "remediation" : "verification";
    return parts.includes("Verify") ? "verification" : "first logon";
  }
  if (!begun) return "firmware";
  if (restarts === 0) return "setup";
  return restarts === 1 ? "specialize" : "first logon";
}

/** Nothing is copied there, and every step is verified before anything is mended. */
function stageOfDisk(
  started: boolean,
  begun: boolean,
  results: InstallResults | undefined,
): InstallStage {
  if (!begun) return started ? "start" : "firmware";
  const mended = [...(results?.steps.values() ?? [])].some(
    ({ part }) => part === "Remediate",
  );
  return mended ? "remediation" : "verification";
}

function stepsOf(
  stage: InstallStage,
  results: InstallResults | undefined,
  all: readonly WindowsStep[],
): { readonly text?: string; readonly fraction?: number } {
  if (results === undefined || results.steps.size === 0) return {};
  const before = all.slice(0, -1);
  switch (stage) {
    case "first logon": {
      const steps = before.filter(({ phase }) => phase === "firstLogon");
      const done = steps.filter(({ id }) => results.steps.has(id)).length;
      // The one that is under way is not counted as done.
      const next = steps[done];
      return {
        text: `step ${String(Math.min(done + 1, steps.length))} of ${String(steps.length)}${next === undefined ? "" : ` (${next.id})`}`,
        fraction: done / Math.max(steps.length, 1),
      };
    }
    case "verification": {
      const done = before.filter(
        ({ id }) => results.steps.get(id)?.part === "Verify",
      ).length;
      return {
        text: `${String(done)} of ${String(before.length)} steps verified`,
        fraction: done / Math.max(before.length, 1),
      };
    }
    case "remediation": {
      const mended = [...results.steps.values()]
        .filter(({ part }) => part === "Remediate")
        .map(({ id }) => id);
      return {
        text: `round ${String(results.round)} of ${String(rounds)} (${mended.join(", ")})`,
      };
    }
    default:
      return {};
  }
}

/** `first-logon.ps1` mends so often at most. */
export const rounds = 3;

/** Changes when anything in the results does. */
const signOf = (results: InstallResults | undefined): string =>
  results === undefined
    ? ""
    : JSON.stringify([
        results.round,
        results.ready ?? "",
        results.failed ?? [],
        [...results.steps.values()],
      ]);

/** `20 min`, `45 s`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120
    ? `${String(seconds)} s`
    : `${String(Math.round(seconds / 60))} min`;
}
