import { systems } from "../../guests/programs/systems.ts";
import { type Forward, portInGuest } from "../../../protocol/forwards.ts";
import { checkpointSchema, type Machine } from "../../../protocol/machines.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { MachineHandles, MachineRecord } from "../../store/records.ts";
import { landingPort } from "../../ssh/config.ts";
import { vmAliasOf } from "../../../protocol/vmAlias.ts";
import type { Entry } from "./entry.ts";

/** A saved state waits for its next start. */
export const isSuspended = (
  record: MachineRecord,
): record is MachineRecord & {
  resumeFrom: Extract<MachineRecord["resumeFrom"], { kind: "state" }>;
} => record.resumeFrom?.kind === "state";

/** The whole record as clients see it. Pure. */
export function viewOf(
  entry: Entry,
  files: MachineFiles,
  staleImage: boolean,
): Machine {
  const { record, live } = entry;
  const machine: Machine = {
    id: record.id,
    name: record.name,
    alias: record.alias,
    image: { ...record.image, stale: staleImage },
    os: record.os,
    generation: record.generation,
    cpus: record.cpus,
    memoryMiB: record.memoryMiB,
    diskGiB: record.diskGiB,
    user: record.landing?.user ?? record.user,
    home: record.landing?.home ?? systems[record.os].homeFolder(record.user),
    state: entry.state,
    checkpoints: record.checkpoints.map((kept) => checkpointSchema.parse(kept)),
    createdAt: record.createdAt,
    boot: entry.boot,
    logPath: files.log,
    agentForwarding: record.agentForwarding,
    hostLoopback: record.hostLoopback,
    screen: record.screen,
    revision: entry.revision,
  };
  if (record.landing !== undefined)
    machine.container = {
      vmAlias: vmAliasOf(record.alias),
      vmUser: record.user,
    };
  if (record.folder !== undefined) machine.folder = record.folder;
  if (record.parent !== undefined) machine.parent = record.parent;
  if (isSuspended(record)) {
    const { at, sizeBytes } = record.resumeFrom;
    machine.suspended = { at, sizeBytes };
  }
  if (live !== undefined) {
    const { handles } = live;
    machine.runtime = {
      pid: handles.pid,
      startedAtMs: handles.startedAtMs,
      way: handles.way,
      accelerator: handles.accelerator,
      acceleratorReason: handles.acceleratorReason,
      sshPort: handles.sshPort,
      consoleSocket: files.consoleSocket,
      ...(record.screen ? { screenSocket: files.screenSocket } : {}),
      forwards: forwardsOf(record, handles),
      network: {
        backend: handles.network.backend,
        hostLoopbackReachable: handles.network.hostLoopbackReachable,
        reason: handles.network.reason,
      },
    };
  }
  return machine;
}

/** All that lead to it, by the names that its folder's file gives them; the landing is SSH's business. */
function forwardsOf(
  { ports }: MachineRecord,
  { forwards, carried = [] }: MachineHandles,
): Forward[] {
  return [
    ...forwards.filter((each) => portInGuest(each) !== landingPort),
    ...carried,
  ].map((forward) => ({
    ...forward,
    ...ports?.named.find(
      ({ guestPort, host }) =>
        guestPort === forward.guestPort && host === forward.host,
    ),
  }));
}
