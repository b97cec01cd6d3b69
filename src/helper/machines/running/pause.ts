import { abortAfter } from "../../../base/deadline.ts";
import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { livingPart } from "../roster/lifecycle.ts";
import type { MachineRegistry } from "../roster/registry.ts";

/** How long after a resume the write that had found no room may take to fail again. */
const againMs = 500;

export const pauseMachine = (
  entry: Entry,
  registry: MachineRegistry,
  signal: AbortSignal,
): Promise<void> =>
  registry.locks.run(entry.record.id, async () => {
    const live = livingPart(entry, "pause");
    await monitorOf(entry.record.name, live).execute("stop");
    await registry.until(entry, ({ kind }) => kind === "paused", signal);
  });

export const resumeMachine = (
  entry: Entry,
  registry: MachineRegistry,
  signal: AbortSignal,
): Promise<void> =>
  registry.locks.run(entry.record.id, () =>
    resumePaused(entry, livingPart(entry, "resume"), registry, signal),
  );

/**
 * Lets a paused guest go on. One that its full disk had stopped tries its write again: when there is still no room it
 * is paused at once, and that is thrown (`host.diskFull`).
 */
export async function resumePaused(
  entry: Entry,
  live: Live,
  registry: MachineRegistry,
  signal: AbortSignal,
): Promise<void> {
  const before = entry.state;
  await monitorOf(entry.record.name, live).execute("cont");
  // Another state, and not another kind: it may be paused again before anybody has looked.
  await registry.until(entry, (state) => state !== before, signal);
  if (before.kind !== "paused" || before.failure === undefined) return;
  const again = await registry
    .until(entry, ({ kind }) => kind === "paused", abortAfter(againMs, signal))
    .catch(() => undefined);
  if (again?.kind === "paused" && again.failure !== undefined)
    throw new GuesthouseError(again.failure);
}

/** Throws `qemu.monitor` for a QEMU that runs without answering. */
export function monitorOf(name: string, { qmp }: Live): Qmp {
  if (qmp !== undefined) return qmp;
  throw failed(
    "qemu.monitor",
    `QEMU of “${name}” runs, but its monitor does not answer.`,
    { remedy: "Stop the machine with force, then start it again." },
  );
}
