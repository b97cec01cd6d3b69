/*
 * Follows a machine that goes on from a saved state until its guest has said who it is. The state is given up only then:
 * until that word the machine can go on from it once more. Runs beside everything else and ends with the machine's `watch`.
 */
import { rm } from "node:fs/promises";
import { faultPoint } from "../../../base/faultPoint.ts";
import { toFailure } from "../../../protocol/failure.ts";
import { waitForExit } from "../../qemu/process.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { sentenceOf } from "../identity/identity.ts";
import { enterRunning, followBoot, type BootDeps } from "../boot/followBoot.ts";
import { resumeDiagnosis, resumeGuest } from "./resume.ts";
import { exitGraceMs } from "../running/supervise.ts";

/** Steps of a warm clone, from its disk to its guest's word, that a test may end the helper at. */
export const cloneFaults = [
  "clone.disk",
  "clone.recorded",
  "clone.launched",
  "clone.continued",
  "clone.acknowledged",
] as const;

/**
 * Follows a machine that goes on from a saved state until the guest said that it is itself, entering `running`; or
 * `unready` with the reason. The counterpart of `followBoot`; runs on its own and ends with `live.watch`.
 *
 * The state that it came from is given up only then: a helper that is killed before leaves a machine whose next start
 * goes on from the same state, with the same disk (`adopt.ts`).
 */
export async function followResume(
  entry: Entry,
  live: Live,
  deps: BootDeps,
  timeoutMs?: number,
): Promise<void> {
  const { signal } = live.watch;
  try {
    const resumed = await resumeGuest(entry, live, deps, signal);
    if (signal.aborted || entry.live !== live) return;
    if (resumed.kind === "failed") {
      if (await hasEnded(live)) return;
      deps.registry.enter(entry, {
        kind: "unready",
        sinceMs: Date.now(),
        diagnosis: resumeDiagnosis(sentenceOf(resumed.outcome), live),
      });
      return;
    }
    faultPoint("clone.acknowledged", live.handles.pid);
    await forgetState(entry, deps);
    if (resumed.kind === "ready") await enterRunning(entry, live, deps);
    else await followBoot(entry, live, deps, timeoutMs);
  } catch (error) {
    if (signal.aborted || (await hasEnded(live))) return;
    const failure = toFailure(error);
    deps.log.error("resuming a guest failed", {
      machine: entry.record.id,
      failure,
      error,
    });
    if (entry.live !== live) return;
    const diagnosis = resumeDiagnosis(failure.message, live);
    deps.registry.enter(entry, {
      kind: "unready",
      sinceMs: Date.now(),
      diagnosis,
    });
  }
}

/**
 * Did the resume fail because QEMU is gone? Its sockets close before its process is seen to end, and in any order: the
 * broken handoff can be known before the closed monitor. How the machine ended is for `supervise` to book.
 */
const hasEnded = (live: Live): Promise<boolean> =>
  waitForExit(live.handles, exitGraceMs);

/** The next start boots. */
export async function forgetState(
  entry: Entry,
  { registry, layout }: Pick<BootDeps, "registry" | "layout">,
): Promise<void> {
  if (entry.record.resumeFrom === undefined) return;
  await registry.rewrite(entry, { resumeFrom: undefined });
  await rm(layout.machine(entry.record.id).state, { force: true });
}
