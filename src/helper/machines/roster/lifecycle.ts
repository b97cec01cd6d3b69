import {
  bug,
  refused,
  type GuesthouseError,
} from "../../../protocol/failure.ts";
import type {
  MachineState,
  MachineStateKind,
} from "../../../protocol/machines.ts";
import type { Entry, Live } from "./entry.ts";

/*
 *              create                 start                      guest reached
 *   (nothing) ───────► creating ──► stopped ──────────► starting ─────────────► running ◄──────┐
 *                         │            ▲  ▲                │   │                 │  ▲  │ pause  │ resume
 *            fails: gone ─┘            │  └── QEMU ends ───┘   └─ time is up      │  │  ▼        │
 *                                      │                            ▼            │  │ paused ───┘
 *                                      │                         unready ────────┼──┘
 *                                      │                            │    reached │  after all
 *                                      └───────── stopping ◄────────┴────────────┘ stop
 *                                                    (QEMU's end leads to stopped from every state where it lives)
 *   stopped ── delete ──► deleting ──► (nothing)
 *
 * `starting`, `running`, `unready`, `paused` and `stopping` have a living QEMU; the others have none.
 */

export type Verb =
  | "start"
  | "stop"
  | "pause"
  | "resume"
  | "rename"
  | "set"
  | "delete"
  | "stats"
  | "screenshot"
  | "diagnose"
  | "reach"
  | "fork"
  | "checkpoint"
  | "rollBack"
  | "suspend";

const living: readonly MachineStateKind[] = [
  "starting",
  "running",
  "unready",
  "paused",
  "stopping",
];

export const isLiving = (state: MachineState): boolean =>
  living.includes(state.kind);

const allowed: Readonly<Record<Verb, readonly MachineStateKind[]>> = {
  start: ["stopped"],
  stop: ["starting", "running", "unready", "paused"],
  pause: ["running", "unready"],
  resume: ["paused"],
  rename: ["stopped", "running", "unready", "paused", "starting"],
  set: ["stopped"],
  delete: ["stopped", "starting", "running", "unready", "paused"],
  stats: ["starting", "running", "unready", "paused"],
  screenshot: ["starting", "running", "unready", "paused"],
  diagnose: ["starting", "running", "unready", "paused"],
  reach: ["starting", "running", "unready"],
  fork: ["stopped", "running", "unready", "paused"],
  checkpoint: ["stopped", "running", "unready", "paused"],
  rollBack: ["stopped", "starting", "running", "unready", "paused"],
  suspend: ["running", "unready", "paused"],
};

const needs: Readonly<Record<Verb, string>> = {
  start: "Only a stopped machine can be started.",
  stop: "There is nothing to stop.",
  pause: "Only a running machine can be paused.",
  resume: "Only a paused machine can be resumed.",
  rename: "Wait until it has come to rest.",
  set: "Stop it first: processors, memory, disk and screen change while a machine is stopped.",
  delete: "Wait until it has come to rest.",
  stats: "Start it first.",
  screenshot: "Start it first.",
  diagnose: "Start it first.",
  reach: "Start or resume it first.",
  fork: "Wait until it has come to rest.",
  checkpoint: "Wait until it has come to rest.",
  rollBack: "Wait until it has come to rest.",
  suspend: "Only a running or paused machine has a memory to keep.",
};

const words: Partial<Readonly<Record<Verb, string>>> = {
  rollBack: "roll back",
  screenshot: "take a picture of",
  checkpoint: "make a checkpoint of",
};

/** Undefined when the verb is allowed in this state, else the refusal to throw. */
export function refusal(
  verb: Verb,
  name: string,
  state: MachineState,
): GuesthouseError | undefined {
  if (allowed[verb].includes(state.kind)) return undefined;
  return refused(
    "machines.wrongState",
    `Can't ${words[verb] ?? verb} “${name}” while it is ${state.kind}.`,
    { remedy: needs[verb] },
  );
}

/** Throws the refusal, if any. */
export function demand(
  verb: Verb,
  { record, state }: Pick<Entry, "record" | "state">,
): void {
  const error = refusal(verb, record.name, state);
  if (error !== undefined) throw error;
}

/** The living part of a machine; throws the refusal of this verb where there is none, or where it isn't allowed now. */
export function livingPart(entry: Entry, verb: Verb): Live {
  demand(verb, entry);
  if (entry.live !== undefined) return entry.live;
  const { name } = entry.record;
  const crashed = refusal(verb, name, { kind: "stopped", reason: "crashed" });
  throw crashed ?? bug(`“${name}” has no process that ${verb} could act on.`);
}

/**
 * Until a resumed guest has said that it is itself, its disk may be thrown away to resume it once more, so nothing may
 * stand on that disk: the refusal to throw when a living machine has not come back yet. Pure.
 */
export function resumingRefusal(
  verb: Verb,
  name: string,
  resumes: boolean,
): GuesthouseError | undefined {
  if (!resumes) return undefined;
  return refused(
    "machines.wrongState",
    `Can't ${words[verb] ?? verb} “${name}” before its guest has come back from its saved state.`,
    { remedy: "Wait until it is ready, or restart it if it never is." },
  );
}

/**
 * A kept memory fits only the processors, the memory and the disk that it was taken with: the refusal to throw when
 * one of them is to change while the machine's next start goes on from there.
 */
export function resizeRefusal(
  name: string,
  resumesState: boolean,
  wanted: Readonly<
    Partial<Record<"cpus" | "memoryMiB" | "diskGiB" | "screen", unknown>>
  >,
): GuesthouseError | undefined {
  const resizes =
    wanted.cpus !== undefined ||
    wanted.memoryMiB !== undefined ||
    wanted.diskGiB !== undefined ||
    wanted.screen !== undefined;
  if (!resumesState || !resizes) return undefined;
  return refused(
    "machines.wrongState",
    `Can't change processors, memory, disk or screen of “${name}” while its memory is kept for the next start.`,
    { remedy: "Start it, stop it, then change it." },
  );
}
