import type { Log } from "../../../base/log.ts";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import { requestShutdown } from "../../guests/boot/shutdown.ts";
import { endProcess, waitForExit } from "../../qemu/process.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import type { Layout } from "../../store/layout.ts";
import { mark } from "../roster/bootLog.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { livingPart } from "../roster/lifecycle.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import { finish } from "./supervise.ts";
import { noteWork, type UnsavedDeps } from "./unsaved.ts";

export type Ending = "shutdown" | "terminated" | "killed";

export interface StopDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly log: Log;
}

/** How long a guest may take to shut down. Emulated guests need their time. */
const graceMs = { emulated: 120_000, accelerated: 45_000 };
const terminateMs = 10_000;
const killMs = 5_000;

export interface StopOptions {
  readonly force: boolean;
  readonly graceMs?: number | undefined;
}

/** Stops a machine alone among its verbs, after its guest was asked what work it holds; `force` asks nothing. */
export async function stopMachine(
  entry: Entry,
  options: StopOptions,
  deps: StopDeps & UnsavedDeps,
  signal: AbortSignal,
): Promise<Ending | "alreadyStopped"> {
  if (!options.force) await noteWork(entry, deps, signal);
  return deps.registry.locks.run(entry.record.id, async () => {
    if (entry.state.kind === "stopped") return "alreadyStopped";
    return endGuest(entry, options, deps, signal);
  });
}

/**
 * Ends a living machine without losing fresh writes (B17): file systems synced and the guest asked to shut down, by its
 * agent or else by ACPI; after the grace period TERM, on which QEMU itself closes the disk cleanly; then KILL.
 * Each step shows as the machine's state. `force` begins at TERM.
 */
async function endGuest(
  entry: Entry,
  options: StopOptions,
  deps: StopDeps,
  signal: AbortSignal,
): Promise<Ending> {
  const live = livingPart(entry, "stop");
  const before = entry.state;
  live.stopReason = "requested";
  live.watch.abort();
  const step = (name: "shutdown" | "terminate" | "kill"): void =>
    deps.registry.enter(entry, {
      kind: "stopping",
      step: name,
      sinceMs: Date.now(),
    });
  const ended = async (how: Ending): Promise<Ending> => {
    await finish(entry, live, deps, "requested");
    return how;
  };

  if (!options.force && live.qmp !== undefined) {
    step("shutdown");
    await askToShutDown(
      entry,
      { qmp: live.qmp, isPaused: before.kind === "paused" },
      deps,
      signal,
    );
    const grace =
      options.graceMs ??
      (live.handles.accelerator === "tcg"
        ? graceMs.emulated
        : graceMs.accelerated);
    if (await waitForExit(live.handles, grace, signal))
      return ended("shutdown");
  }
  step("terminate");
  await endProcess(live.handles, "SIGTERM");
  if (await waitForExit(live.handles, terminateMs)) return ended("terminated");
  step("kill");
  await endProcess(live.handles, "SIGKILL");
  if (await waitForExit(live.handles, killMs)) return ended("killed");
  throw undying(entry, live);
}

/** A guest that can't be asked is ended after the same grace. */
async function askToShutDown(
  entry: Entry,
  { qmp, isPaused }: { readonly qmp: Qmp; readonly isPaused: boolean },
  { layout, log }: StopDeps,
  signal: AbortSignal,
): Promise<void> {
  const files = layout.machine(entry.record.id);
  await mark(files.log, "stopping");
  try {
    if (isPaused) await qmp.execute("cont");
    await requestShutdown(
      files.agentSocket,
      async () => {
        await qmp.execute("system_powerdown");
      },
      signal,
    );
  } catch (error) {
    log.info("asking the guest to shut down failed", {
      machine: entry.record.id,
      error,
    });
  }
}

/** What to throw when a process stays that was killed. */
export const undying = (
  { record }: Entry,
  { handles }: Live,
): GuesthouseError =>
  failed(
    "machines.stopFailed",
    `QEMU of “${record.name}” (process ${String(handles.pid)}) did not end, not even when killed.`,
    {
      remedy:
        "The system holds it, often because of a disk that does not answer; restart the host if it stays.",
    },
  );
