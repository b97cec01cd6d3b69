/*
 * Watches one QEMU by its monitor, from its start or its adoption to its end, and books that end. What QEMU says becomes
 * the machine's state here; a broken connection is made again as long as the process lives. An end is booked once, whoever
 * notices it first. Called by the start and by adoption; `finish` by every verb that ends a QEMU.
 */
import type { Log } from "../../../base/log.ts";
import { failed, type Failure } from "../../../protocol/failure.ts";
import type { MachineState } from "../../../protocol/machines.ts";
import { endCompanion } from "../../qemu/companion.ts";
import { connectQmp } from "../../qemu/qmp.ts";
import { isSameProcess, waitForExit } from "../../qemu/process.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import { logTail, mark } from "../roster/bootLog.ts";
import { emptyDisk, isFresh } from "./emptyDisk.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { hasLostNetwork, networkGone } from "./networkGone.ts";
import type { MachineRegistry } from "../roster/registry.ts";

export interface SuperviseDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly log: Log;
  /** True once the helper is on its way out: then a closed monitor means nothing. */
  readonly leaving: () => boolean;
  /** The guest began anew without QEMU's end: its readiness must be found again. */
  readonly onReset: (entry: Entry, live: Live) => void;
}

/** How long QEMU may take from closing its sockets to its end. */
export const exitGraceMs = 3_000;

/**
 * Watches one living QEMU until it ends: pause and resume, the guest's own reboot and shutdown, and the end itself,
 * however it comes about. Belongs to no request (B14).
 */
export function supervise(entry: Entry, live: Live, deps: SuperviseDeps): void {
  const { qmp } = live;
  if (qmp === undefined) return;
  /** What the guest was in the midst of when its disk stopped it. */
  let booting: (MachineState & { kind: "starting" }) | undefined;
  qmp.onEvent(({ event, data }) => {
    if (entry.live !== live) return;
    switch (event) {
      case "BLOCK_IO_ERROR":
        // Comes before its STOP, also in the midst of a capture. QEMU stops for want of room only (`werror=enospc`).
        if (data["action"] !== "stop") break;
        if (entry.state.kind === "starting") booting = entry.state;
        stoppedByDisk(entry, deps);
        break;
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
          deps.registry.enter(
            entry,
            booting ?? {
              kind: "running",
              sinceMs: live.handles.readySinceMs ?? Date.now(),
            },
          );
          if (booting === undefined) void tellIfCutOff(entry, live, deps);
        }
        booting = undefined;
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

function stoppedByDisk(
  entry: Entry,
  { layout, registry, log }: Pick<SuperviseDeps, "layout" | "registry" | "log">,
): void {
  const { id, name } = entry.record;
  const state = pausedByDisk(name);
  log.warn("a guest's write found no room", { machine: id });
  // What is under way to its end goes there all the same.
  if (!["starting", "running", "unready", "paused"].includes(entry.state.kind))
    return;
  registry.enter(entry, state);
  // Fails on the full disk, unless the log has a little room left in its last block.
  void mark(layout.machine(id).log, state.failure.message).catch(
    () => undefined,
  );
}

/** The state of a machine whose QEMU stands at `io-error`: the guest's write is kept and tried again by a resume. */
export const pausedByDisk = (
  name: string,
): MachineState & { kind: "paused"; failure: Failure } => ({
  kind: "paused",
  sinceMs: Date.now(),
  failure: failed(
    "host.diskFull",
    `The disk of this computer is full, so “${name}” was paused before a write of its guest was lost.`,
    {
      remedy:
        "Free some space (guesthouse gc says what can go), then resume the machine: it goes on where it was.",
    },
  ).failure,
});

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

/**
 * Books the end of a machine's QEMU: what was transient goes, the reason stays. Once, whoever asks: all wait for it. On a full disk the reason is
 * known to this helper only, and what is left is swept at the next start; that QEMU ended is no less true then.
 */
export function finish(
  entry: Entry,
  live: Live,
  deps: Pick<SuperviseDeps, "layout" | "registry" | "log">,
  reason?: MachineRecord["lastStop"]["reason"],
): Promise<void> {
  live.ended ??= bookEnd(entry, live, deps, reason);
  return live.ended;
}

async function bookEnd(
  entry: Entry,
  live: Live,
  deps: Pick<SuperviseDeps, "layout" | "registry" | "log">,
  reason: MachineRecord["lastStop"]["reason"] | undefined,
): Promise<void> {
  if (entry.live !== live) return;
  deps.registry.detach(entry);
  live.watch.abort();
  live.qmp?.close();
  const log = deps.log.with({ machine: entry.record.id });
  const files = deps.layout.machine(entry.record.id);
  const crash = await crashFailure(entry.record.name, files.qemuLog);
  try {
    if (isFresh(entry.record)) await emptyDisk(files);
    await deps.registry.forget(entry);
  } catch (error) {
    // The handles stay, and by them the next start knows that the disk was written to.
    log.warn("what an ended machine left could not be cleared away", { error });
  }
  // Decided as late as can be: a suspension may have been waiting for this very end.
  const why = reason ?? live.stopReason ?? reasonOf(live);
  const { process } = live.handles.network;
  if (process !== undefined) await endCompanion(process);
  const lastStop: MachineRecord["lastStop"] =
    why === "crashed" ? { reason: why, failure: crash } : { reason: why };
  await book(entry, lastStop, deps);
  await mark(files.log, `stopped (${why})`).catch(() => undefined);
  log.info("machine ended", { why });
}

/** Writes down why a machine is stopped, or remembers it where nothing can be written. */
export async function book(
  entry: Entry,
  lastStop: MachineRecord["lastStop"],
  { registry, log }: Pick<SuperviseDeps, "registry" | "log">,
): Promise<void> {
  try {
    await registry.booked(entry, lastStop);
  } catch (error) {
    log.warn("why a machine stopped could not be written down", {
      machine: entry.record.id,
      error,
    });
  }
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
