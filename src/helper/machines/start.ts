/*
 * The verb start: brings up a machine's QEMU, hands it to those who watch it, and has its boot or its resume followed
 * until the guest is there. From then on nobody's request holds it (B14). Called for every start, whoever asks.
 */
import { faultPoint } from "../../base/faultPoint.ts";
import { type BootDeps, followBoot } from "./boot/followBoot.ts";
import { launch, type LaunchingDeps } from "./launchStopped.ts";
import { untilReady } from "./ready.ts";
import type { Entry, Live } from "./roster/entry.ts";
import { demand, isLiving } from "./roster/lifecycle.ts";
import { supervise, type SuperviseDeps } from "./running/supervise.ts";
import { followResume, forgetState } from "./saved/followResume.ts";

export interface StartOptions {
  readonly wait?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  /** Boot although a saved state waits. */
  readonly discardState?: boolean | undefined;
  /** Its QEMU, if that runs already, paused before it is told who it is. */
  readonly live?: Live | undefined;
}

export interface StartDeps extends LaunchingDeps {
  readonly boot: BootDeps;
  readonly supervision: SuperviseDeps;
}

/** Starts a stopped machine; a living one is left as it is. With `wait`, answers once the guest is reached. */
export async function startMachine(
  entry: Entry,
  options: StartOptions,
  deps: StartDeps,
  signal: AbortSignal,
): Promise<void> {
  const { registry } = deps;
  await registry.locks.run(entry.record.id, () =>
    startAlone(entry, options, deps, signal),
  );
  if (options.wait !== false) await untilReady(entry, registry, signal);
}

async function startAlone(
  entry: Entry,
  { timeoutMs, discardState, live: waiting }: StartOptions,
  deps: StartDeps,
  signal: AbortSignal,
): Promise<void> {
  if (isLiving(entry.state) && entry.state.kind !== "paused") return;
  demand("start", entry);
  if (discardState === true) await forgetState(entry, deps);
  const live = waiting ?? (await launch(entry, deps, signal));
  faultPoint("clone.launched", live.handles.pid);
  deps.registry.attach(entry, live, {
    kind: "starting",
    stage: live.handles.boot[0]?.stage ?? "firmware",
    sinceMs: live.handles.startedAtMs,
  });
  supervise(entry, live, deps.supervision);
  if (live.handles.way !== "cold") {
    void followResume(entry, live, deps.boot, timeoutMs);
    return;
  }
  // A boot begins anew; what it might have resumed from is of another time.
  await forgetState(entry, deps);
  const isNew = entry.record.lastStop.reason === "created";
  void followBoot(entry, live, deps.boot, timeoutMs).then(() => {
    if (isNew && entry.state.kind === "running") warmUpFor(entry, deps);
  });
}

/** A new machine had to boot: the next one of its kind shall not have to. */
function warmUpFor({ record }: Entry, { images, warm, log }: StartDeps): void {
  images
    .resolve(record.image.digest)
    .then((image) => warm.onColdStart(record, image))
    .catch((error: unknown) =>
      log.info("no template is made", { machine: record.id, error }),
    );
}
