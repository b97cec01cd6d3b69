/*
 * Follows one boot from QEMU's start until the guest is reached, or says why it isn't. Runs beside everything else, for no
 * request, and ends with the machine's `watch`. Stages are noted once each; after the QEMU's end nothing is said of it any
 * more. Called by the start, by adoption, and when a guest boots again by itself.
 */
import type { Log } from "../../../base/log.ts";
import { toFailure } from "../../../protocol/failure.ts";
import type { BootStage, Diagnosis } from "../../../protocol/machines.ts";
import { diagnose } from "../../guests/diagnosis/diagnosis.ts";
import { watchBoot } from "../../guests/boot/readiness.ts";
import { bootTimeoutMs } from "../../guests/boot/timeouts.ts";
import { networkCounters } from "../../qemu/counters.ts";
import type { Layout } from "../../store/layout.ts";
import { mark } from "../roster/bootLog.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { hasLostNetwork } from "../running/networkGone.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import { keepSeed } from "../identity/seedPending.ts";
import { sshTarget } from "../identity/sshTarget.ts";
import { booting } from "./systems.ts";

export interface BootDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly log: Log;
  /** Seconds to SSH under acceleration, as the image says. */
  readonly expectedBootSeconds: (digest: string) => Promise<number | undefined>;
}

/** After the time is up we go on looking, less and less hopefully. */
const lateLooks = 3;
const lateLookMs = 600_000;

/**
 * Follows one boot from QEMU's start until the guest answers an authenticated command, entering `running`; or until
 * its time is up, entering `unready` with a diagnosis (B8), and `running` still when it is reached after all.
 * Runs on its own; ends with `live.watch`.
 */
export async function followBoot(
  entry: Entry,
  live: Live,
  deps: BootDeps,
  timeoutMs?: number,
): Promise<void> {
  const { registry, log } = deps;
  const { signal } = live.watch;
  try {
    const limit =
      timeoutMs ??
      bootTimeoutMs({
        accelerator: live.handles.accelerator,
        expectedBootSeconds: await deps.expectedBootSeconds(
          entry.record.image.digest,
        ),
      });
    if (await look(entry, live, deps, limit)) return;
    const diagnosis = await diagnoseMachine(entry, live, deps, signal);
    if (signal.aborted || entry.live !== live) return;
    // A paused one waits for its user; it is reached or not when it goes on.
    if (entry.state.kind !== "paused")
      registry.enter(entry, {
        kind: "unready",
        sinceMs: Date.now(),
        diagnosis,
      });
    await mark(
      deps.layout.machine(entry.record.id).log,
      `not reached after ${seconds(limit)}: ${diagnosis.hint}`,
    );
    for (let i = 0; i < lateLooks; i++)
      if (await look(entry, live, deps, lateLookMs)) return;
  } catch (error) {
    if (signal.aborted) return;
    log.error("following a boot failed", {
      machine: entry.record.id,
      failure: toFailure(error),
      error,
    });
  }
}

/** The guest began anew without QEMU's end: its readiness must be found again. */
export function followReset(entry: Entry, live: Live, deps: BootDeps): void {
  live.watch.abort();
  live.watch = new AbortController();
  deps.registry.bootAgain(entry, live);
  void followBoot(entry, live, deps);
}

/** True when the guest was reached or there is nothing left to look at. */
async function look(
  entry: Entry,
  live: Live,
  deps: BootDeps,
  timeoutMs: number,
): Promise<boolean> {
  const { layout } = deps;
  const { signal } = live.watch;
  const files = layout.machine(entry.record.id);
  const { handles } = live;
  const outcome = await watchBoot(
    {
      logPath: files.log,
      logOffset: handles.logOffset,
      agentSocket: files.agentSocket,
      ...(await sshTarget(layout, entry.record, handles.sshPort)),
      startedAtMs: handles.startedAtMs,
      onAgent: booting[entry.record.os].onAgent(entry.record, live, deps),
      onReached: (session) => keepSeed(entry, live, deps.registry, session),
      timeoutMs,
    },
    (stage) => void enterStage(entry, live, deps, stage),
    signal,
  );
  if (signal.aborted || entry.live !== live) return true;
  if (outcome.kind !== "ready") return false;
  await enterRunning(entry, live, deps);
  return true;
}

/** The guest is there for its users. */
export async function enterRunning(
  entry: Entry,
  live: Live,
  deps: BootDeps,
): Promise<void> {
  const readySinceMs = Date.now();
  const noted = enterStage(entry, live, deps, "ready");
  if (entry.live !== live) return;
  deps.registry.enter(entry, { kind: "running", sinceMs: readySinceMs });
  await noted;
  await deps.registry.note(entry, live, { readySinceMs });
}

/** Notes a stage of this start, once; from now on it shows. */
export async function enterStage(
  entry: Entry,
  live: Live,
  { registry, layout, log }: BootDeps,
  stage: BootStage,
): Promise<void> {
  if (entry.live !== live) return;
  const { handles } = live;
  if (handles.boot.some((known) => known.stage === stage)) return;
  const atMs = Date.now() - handles.startedAtMs;
  try {
    await Promise.all([
      registry.noteStage(entry, live, { stage, atMs }),
      mark(layout.machine(entry.record.id).log, `${stage} · ${seconds(atMs)}`),
    ]);
  } catch (error) {
    // A full disk must not make a healthy guest look dead.
    log.warn("a boot stage could not be written", {
      machine: entry.record.id,
      error,
    });
  }
}

/** What is wrong with a machine, or that nothing is. */
export async function diagnoseMachine(
  entry: Entry,
  live: Live,
  deps: BootDeps,
  signal: AbortSignal,
): Promise<Diagnosis> {
  const files = deps.layout.machine(entry.record.id);
  const status = (await live.qmp
    ?.execute("query-status", {}, {}, signal)
    .catch(() => undefined)) as { status?: string } | undefined;
  const counters =
    live.qmp === undefined
      ? undefined
      : await networkCounters(live.qmp, signal).catch(() => undefined);
  return diagnose(
    {
      os: entry.record.os,
      stage: live.handles.boot.at(-1)?.stage ?? "firmware",
      waitedMs: Date.now() - live.handles.startedAtMs,
      runState: status?.status ?? "not answering",
      networkGone: await hasLostNetwork(live),
      counters,
      logPath: files.log,
      logOffset: live.handles.logOffset,
      agentSocket: files.agentSocket,
      ...(await sshTarget(deps.layout, entry.record, live.handles.sshPort)),
    },
    signal,
  );
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
