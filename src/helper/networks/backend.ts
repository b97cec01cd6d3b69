import { stat } from "node:fs/promises";
import * as z from "zod";
import { given } from "../../base/given.ts";
import { readVariable } from "../../base/environmentVariables.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { Log } from "../../base/log.ts";
import { findProgram } from "../processes/programs.ts";
import { bootSession, trialMemory } from "../store/trialMemory.ts";
import type { PasstMode, PasstPrograms } from "./passt.ts";
import { type PasstTrial, passtTrialSchema, tryPasst } from "./passtTrial.ts";

/** What this host connects its machines with, and why; a single machine may need the user network all the same. */
export type NetworkChoice =
  | { readonly backend: "user"; readonly reason: string }
  | {
      readonly backend: "passt";
      readonly reason: string;
      readonly programs: PasstPrograms;
      readonly mode: PasstMode;
      /** See `PasstTrial`: without it, ports other than SSH's are not to be forwarded by this passt. */
      readonly serversSpeakFirst: boolean;
    };

export interface NetworkRequest {
  /** Absent where it is not installed. */
  readonly passt?: string | undefined;
  /** `layout.networkTrials` */
  readonly cachePath: string;
  readonly log: Log;
  /** Try again instead of using the remembered result. */
  readonly retry?: boolean;
  /** Use also a release with the faults that `decide` tells of; default what GUESTHOUSE_PASST says. */
  readonly acceptFaulty?: boolean;
}

const trialTimeoutMs = 60_000;
/** A passt that didn't work at all, on a host without a route perhaps, is soon tried again. */
const forgetAfterMs = 60_000;

interface Recent {
  readonly trials: Promise<PasstTrial[]>;
  readonly atMs: number;
}
const recent = new Map<string, Recent>();

/**
 * passt where it is there and keeps guests from the host's loopback, else QEMU's user network, which doesn't. passt is
 * tried once per boot of the host and file version, half a second each way of running it; see `passtTrial.ts`.
 */
export async function chooseNetwork(
  request: NetworkRequest,
  signal?: AbortSignal,
): Promise<NetworkChoice> {
  const { passt, cachePath, log } = request;
  const accept =
    request.acceptFaulty ?? readVariable("GUESTHOUSE_PASST") === "any";
  if (process.platform !== "linux")
    return { backend: "user", reason: "passt runs on Linux only." };
  if (passt === undefined)
    return { backend: "user", reason: "passt is not installed." };
  const pasta = await findProgram("pasta");
  const programs = { passt, ...given({ pasta }) };
  const memory = trialMemory(cachePath, z.array(passtTrialSchema), log);
  const key = await keyOf(programs);
  if (request.retry !== true) {
    const remembered = await memory.recall(key);
    if (remembered !== undefined) return decide(programs, remembered, accept);
  }
  const known = request.retry === true ? undefined : recent.get(key);
  const fresh =
    known === undefined || Date.now() - known.atMs > forgetAfterMs
      ? { trials: tryAll(programs, log), atMs: Date.now() }
      : known;
  recent.set(key, fresh);
  // Shared by all callers, so one caller's abort must not end it for the others.
  const trials = await withDeadline(
    "The trial of passt",
    trialTimeoutMs,
    () => fresh.trials,
    signal,
  );
  if (trials.some(({ works }) => works)) await memory.remember(key, trials);
  return decide(programs, trials, accept);
}

async function tryAll(
  programs: PasstPrograms,
  log: Log,
): Promise<PasstTrial[]> {
  const trials: PasstTrial[] = [];
  for (const mode of ["bare", "confined"] as const) {
    if (mode === "confined" && programs.pasta === undefined) break;
    const trial = await tryPasst(programs, mode);
    log.info("passt tried", { ...trial });
    trials.push(trial);
    // Either it is good, or it doesn't run: a namespace around it changes nothing then.
    if (trial.closed || !trial.works) break;
  }
  return trials;
}

/**
 * The choice that these trials lead to. Pure.
 *
 * A passt that does not deliver what a server says first is of 2023, and has another fault with it: a connection that is
 * given up before its guest took it, as every knock at a guest that boots is, keeps it busy until the guest answers. A
 * cold boot under emulation took 25 s of processor time for that, so such a release is used only where that is wanted.
 */
export function decide(
  programs: PasstPrograms,
  trials: readonly PasstTrial[],
  acceptFaulty = false,
): NetworkChoice {
  const good = trials.find(({ works, closed }) => works && closed);
  if (good !== undefined && !good.serversSpeakFirst && !acceptFaulty)
    return {
      backend: "user",
      reason:
        "This release of passt is busy with every connection that its guest has not taken yet. A newer one is used by itself; GUESTHOUSE_PASST=any uses this one.",
    };
  if (good !== undefined)
    return {
      backend: "passt",
      programs,
      mode: good.mode,
      serversSpeakFirst: good.serversSpeakFirst,
      reason:
        good.mode === "bare"
          ? "passt keeps guests from this host's loopback."
          : "passt keeps guests from this host's loopback, in a network namespace of its own, because this release alone would let a guest's root in.",
    };
  const [bare, confined] = trials;
  const why =
    bare?.works !== true
      ? (bare?.detail ?? "It was not tried.")
      : confined === undefined
        ? "This release of passt lets a guest's root reach this host's loopback, and pasta, which would prevent it, is not installed."
        : `This release of passt lets a guest's root reach this host's loopback, and a network namespace around it did not help. ${confined.detail}`.trim();
  return { backend: "user", reason: why };
}

async function keyOf({ passt, pasta }: PasstPrograms): Promise<string> {
  const versions = await Promise.all(
    [passt, pasta].map(async (path) =>
      path === undefined ? "" : `${path}:${String((await stat(path)).mtimeMs)}`,
    ),
  );
  return [await bootSession(), ...versions].join(" ");
}
