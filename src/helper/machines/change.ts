import type { ParsedParams } from "../../protocol/contract.ts";
import { refused } from "../../protocol/failure.ts";
import { renameWindows } from "../guests/handoff/windowsIdentity.ts";
import { resizeDisk } from "../qemu/block.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineRecord } from "../store/records.ts";
import { rewriteMachineSeed } from "./identity/seed.ts";
import { resizeRefusal } from "./roster/lifecycle.ts";
import { checkName } from "./identity/names.ts";
import type { Entry } from "./roster/entry.ts";
import { can } from "./roster/systems.ts";
import type { MachineRegistry } from "./roster/registry.ts";

export interface ChangeDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
}

/**
 * Gives a machine another name. The alias stays, so that editors keep what they know of it; the guest takes the new
 * hostname at its next boot, from the seed.
 */
export async function renameMachine(
  entry: Entry,
  name: string,
  { registry, layout }: ChangeDeps,
): Promise<void> {
  if (name === entry.record.name) return;
  checkName(name);
  if (registry.takenNames().has(name))
    throw refused(
      "machines.nameTaken",
      `There is already a machine “${name}”.`,
      {
        remedy: "Choose another name.",
      },
    );
  const record = { ...entry.record, name };
  await rewriteMachineSeed(record, layout);
  await registry.rewrite(entry, { name });
}

/**
 * Gives Windows a name of its own, which it takes on at its next restart. Other guests have their machine's name from
 * their seed anyway. Refuses with `machines.wrongState` unless the machine runs.
 */
export async function renameGuest(
  { record, state }: Entry,
  name: string,
  layout: Layout,
  signal: AbortSignal,
): Promise<void> {
  if (!can[record.os].renameInside) return;
  if (state.kind !== "running")
    throw refused(
      "machines.wrongState",
      `“${record.name}” must run for Windows in it to be renamed.`,
      { remedy: `Start it first: guesthouse start ${record.name}.` },
    );
  await renameWindows(layout.machine(record.id).agentSocket, name, signal);
}

/** Changes processors, memory, disk, screen, agent forwarding or the way to the host's loopback. A disk only grows; the guest grows its file system at boot. */
export async function setMachine(
  entry: Entry,
  wanted: Omit<ParsedParams<"machines.set">, "machine">,
  { registry, layout }: ChangeDeps,
  signal: AbortSignal,
): Promise<void> {
  const { record } = entry;
  const refusal = resizeRefusal(
    record.name,
    record.resumeFrom?.kind === "state",
    wanted,
  );
  if (refusal !== undefined) throw refusal;
  const change: Partial<MachineRecord> = {};
  if (wanted.cpus !== undefined) change.cpus = wanted.cpus;
  if (wanted.memoryMiB !== undefined) change.memoryMiB = wanted.memoryMiB;
  if (wanted.agentForwarding !== undefined)
    change.agentForwarding = wanted.agentForwarding;
  if (wanted.hostLoopback !== undefined)
    change.hostLoopback = wanted.hostLoopback;
  if (wanted.screen !== undefined) change.screen = wanted.screen;
  const isReshaped = (["cpus", "memoryMiB", "screen"] as const).some(
    (key) => change[key] !== undefined && change[key] !== record[key],
  );
  // The template's memory knows other devices; its disk boots.
  if (isReshaped && record.resumeFrom?.kind === "template")
    change.resumeFrom = undefined;
  if (wanted.diskGiB !== undefined && wanted.diskGiB !== record.diskGiB) {
    if (wanted.diskGiB < record.diskGiB)
      throw refused(
        "machines.badRequest",
        `The disk of “${record.name}” has ${String(record.diskGiB)} GiB and can't be made smaller.`,
        { remedy: "Create a new machine with a smaller disk." },
      );
    await resizeDisk(
      layout.machine(record.id).disk,
      Math.ceil(wanted.diskGiB * 1024 ** 3),
      signal,
    );
    change.diskGiB = wanted.diskGiB;
  }
  await registry.rewrite(entry, change);
}
