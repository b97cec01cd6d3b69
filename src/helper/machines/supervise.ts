import type { Log } from "../../base/log.ts";
import { failed, type Failure } from "../../protocol/failure.ts";
import { endPasst } from "../networks/passtProcess.ts";
import { connectQmp } from "../qemu/qmp.ts";
import { isSameProcess, waitForExit } from "../qemu/process.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineRecord } from "../store/records.ts";
import { logTail, mark } from "./bootLog.ts";
import { emptyDisk, isFresh } from "./emptyDisk.ts";
import type { Entry, Live } from "./entry.ts";
import { hasLostNetwork, networkGone } from "./networkGone.ts";
import type { MachineRegistry } from "./registry.ts";

export interface SuperviseDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly log: Log;
  /** True once the helper is on its way out: then a closed monitor means nothing. */
  readonly leaving: () => boolean;
  /** The guest began anew without QEMU's end: its readiness must be found again. */
  readonly onReset: (entry: Entry, live: Live) => void;
}

/** How long QEMU may take from closing its monitor to its end. */
const exitGraceMs = 3_000;

/**
 * Watches one living QEMU until it ends: pause and resume, the guest's own reboot and shutdown, and the end itself,
 * however it comes about. Belongs to no request (B14).
 */
export function supervise(entry: Entry, live: Live, deps: SuperviseDeps): void {
  const { qmp } = live;
  if (qmp === undefined) return;
  qmp.onEvent(({ event, data }) => {
    if (entry.live !== live) return;
    switch (event) {
      case "SHUTDOWN":
        live.shutdownCause =
          typeof data["reason"] === "string" ? data["reason"] : "unknown";
        break;
      case "RESET":
        if (data["guest"] === true) deps.onReset(entry, live);
        break;
      case "STOP":
        if (live.capturing === true) break;
        if (entry.state.kind === "running" || entry.state.kind === "unready")
          deps.registry.enter(entry, { kind: "paused", sinceMs: Date.now() });
        break;
      case "RESUME":
        if (live.capturing === true) break;
        if (entry.state.kind === "paused") {
          deps.registry.enter(entry, {
            kind: "running",
            sinceMs: live.handles.readySinceMs ?? Date.now(),
          });
          void tellIfCutOff(entry, live, deps);
        }
        break;
      case "NETDEV_STREAM_DISCONNECTED":
        if (entry.state.kind === "running")
          deps.registry.enter(entry, networkGone(live));
        break;
      default:
    }
  });
  void qmp.closed.then(async () => {
    if (deps.leaving() || entry.live !== live) return;
    live.qmp = undefined;
    const gone = await waitForExit(live.handles, exitGraceMs);
    if (deps.leaving() || entry.live !== live) return;
    if (gone) await finish(entry, live, deps);
    else await reconnect(entry, live, deps);
  });
}

/** It may have lost its network while it was paused. */
async function tellIfCutOff(
  entry: Entry,
  live: Live,
  { registry }: SuperviseDeps,
): Promise<void> {
  if (!(await hasLostNetwork(live))) return;
  if (entry.live === live && entry.state.kind === "running")
    registry.enter(entry, networkGone(live));
}

/** The monitor's connection broke, QEMU lives: the broken one is dropped and a new one made (B39). */
async function reconnect(
  entry: Entry,
  live: Live,
  deps: SuperviseDeps,
): Promise<void> {
  const files = deps.layout.machine(entry.record.id);
  try {
    live.qmp = await connectQmp(files.qmpSocket, { timeoutMs: 5_000 });
    supervise(entry, live, deps);
  } catch (error) {
    if (!(await isSameProcess(live.handles))) return finish(entry, live, deps);
    deps.log.warn("QEMU lives, but its monitor does not answer", {
      machine: entry.record.id,
      error,
    });
  }
}

/** Books the end of a machine's QEMU: what was transient goes, the reason stays. Idempotent. */
export async function finish(
  entry: Entry,
  live: Live,
  deps: Pick<SuperviseDeps, "layout" | "registry" | "log">,
  reason?: MachineRecord["lastStop"]["reason"],
): Promise<void> {
  if (entry.live !== live) return;
  entry.live = undefined;
  live.watch.abort();
  live.qmp?.close();
  const files = deps.layout.machine(entry.record.id);
  const why = reason ?? live.stopReason ?? reasonOf(live);
  const lastStop: MachineRecord["lastStop"] = { reason: why };
  if (why === "crashed")
    lastStop.failure = await crashFailure(entry.record.name, files.qemuLog);
  if (isFresh(entry.record)) await emptyDisk(files);
  const { process } = live.handles.network;
  if (process !== undefined) await endPasst(process);
  await deps.registry.forget(entry);
  await mark(files.log, `stopped (${why})`).catch(() => undefined);
  entry.state = { kind: "stopped", ...lastStop };
  await deps.registry.rewrite(entry, { lastStop });
  deps.log.info("machine ended", { machine: entry.record.id, why });
}

function reasonOf(live: Live): MachineRecord["lastStop"]["reason"] {
  switch (live.shutdownCause) {
    case "guest-shutdown":
      return "guest";
    case "host-qmp-quit":
    case "host-ui":
      return "requested";
    default:
      return "crashed";
  }
}

async function crashFailure(name: string, qemuLog: string): Promise<Failure> {
  const words = (await logTail(qemuLog, 3)).join(" · ");
  return failed(
    "machines.startFailed",
    `QEMU of “${name}” ended without being asked${words === "" ? "" : `: ${words}`}.`,
    {
      remedy: "Start it again; its disk is as the guest left it.",
      actions: ["retry", "showLog"],
    },
  ).failure;
}
