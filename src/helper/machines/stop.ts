import type { Log } from "../../base/log.ts";
import { failed } from "../../protocol/failure.ts";
import { requestShutdown } from "../guests/shutdown.ts";
import { endProcess, waitForExit } from "../qemu/process.ts";
import type { Layout } from "../store/layout.ts";
import { mark } from "./bootLog.ts";
import type { Entry, Live } from "./entry.ts";
import type { MachineRegistry } from "./registry.ts";
import { finish } from "./supervise.ts";

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

/**
 * Ends a living machine without losing fresh writes (B17): file systems synced and the guest asked to shut down, by its
 * agent or else by ACPI; after the grace period TERM, on which QEMU itself closes the disk cleanly; then KILL.
 * Each step shows as the machine's state. `force` begins at TERM.
 */
export async function stopMachine(
  entry: Entry,
  live: Live,
  options: { readonly force: boolean; readonly graceMs?: number | undefined },
  deps: StopDeps,
  signal: AbortSignal,
): Promise<Ending> {
  const { registry, layout } = deps;
  const files = layout.machine(entry.record.id);
  const before = entry.state;
  live.stopReason = "requested";
  live.watch.abort();
  const step = (name: "shutdown" | "terminate" | "kill"): void =>
    registry.enter(entry, {
      kind: "stopping",
      step: name,
      sinceMs: Date.now(),
    });

  if (!options.force && live.qmp !== undefined) {
    step("shutdown");
    await mark(files.log, "stopping");
    const { qmp } = live;
    try {
      if (before.kind === "paused") await qmp.execute("cont");
      await requestShutdown(
        files.agentSocket,
        async () => {
          await qmp.execute("system_powerdown");
        },
        signal,
      );
    } catch (error) {
      deps.log.info("asking the guest to shut down failed", {
        machine: entry.record.id,
        error,
      });
    }
    const grace =
      options.graceMs ??
      (live.handles.accelerator === "tcg"
        ? graceMs.emulated
        : graceMs.accelerated);
    if (await waitForExit(live.handles, grace, signal)) {
      await finish(entry, live, deps, "requested");
      return "shutdown";
    }
  }
  step("terminate");
  await endProcess(live.handles, "SIGTERM");
  if (await waitForExit(live.handles, terminateMs)) {
    await finish(entry, live, deps, "requested");
    return "terminated";
  }
  step("kill");
  await endProcess(live.handles, "SIGKILL");
  if (await waitForExit(live.handles, killMs)) {
    await finish(entry, live, deps, "requested");
    return "killed";
  }
  throw failed(
    "machines.stopFailed",
    `QEMU of “${entry.record.name}” (process ${String(live.handles.pid)}) did not end, not even when killed.`,
    {
      remedy:
        "The system holds it, often because of a disk that does not answer; restart the host if it stays.",
    },
  );
}
