import { rm } from "node:fs/promises";
import { faultPoint } from "../../../base/faultPoint.ts";
import { bug } from "../../../protocol/failure.ts";
import { captureForGood, strategyFor } from "../../snapshots/capture.ts";
import { putBack } from "../../snapshots/saveState.ts";
import type { Entry } from "../roster/entry.ts";
import { stateKept } from "./fork.ts";
import { whileHeld } from "../running/hold.ts";
import { demand } from "../roster/lifecycle.ts";
import type { SnapshotDeps } from "./offspring.ts";
import { endLiving } from "./rollBack.ts";
import { savedWithOf } from "../boot/savedWith.ts";

/** Steps of a suspension that a test may end the helper at; those of a capture without a freeze come before. */
export const suspendFaults = [
  "capture.started",
  "capture.halted",
  "capture.completed",
  "capture.kept",
  "suspend.captured",
  "suspend.recorded",
  "suspend.ended",
] as const;

/**
 * Keeps a machine's memory and ends its QEMU; its next start goes on where it was. The record decides: until it says
 * that there is a memory to go on from, a crash of ours lets the guest go on; from then on, the next helper ends QEMU.
 * Throws as `captureMachine` does.
 */
export function suspendMachine(
  entry: Entry,
  deps: Pick<SnapshotDeps, "layout" | "registry" | "log">,
  signal: AbortSignal,
): Promise<void> {
  const { layout, registry } = deps;
  return registry.locks.run(entry.record.id, async () => {
    const { live } = entry;
    demand("suspend", entry);
    if (live === undefined)
      throw bug(`“${entry.record.name}” lives without a process.`);
    const files = layout.machine(entry.record.id);
    const ran = entry.state.kind !== "paused";
    await whileHeld(entry, { live, suspend: true }, registry, async (qmp) => {
      const savedWith = await savedWithOf(qmp, live.handles);
      const bytes = await captureForGood(
        {
          ...{ qmp, layout, files, statePath: files.state },
          strategy: strategyFor(live.handles.accelerator),
        },
        signal,
      );
      faultPoint("suspend.captured");
      try {
        await registry.rewrite(entry, {
          resumeFrom: stateKept({
            way: "restored",
            sizeBytes: bytes,
            leases: live.handles.leases,
            savedWith,
          }),
        });
      } catch (error) {
        await putBack(qmp, ran);
        await rm(files.state, { force: true });
        throw error;
      }
      faultPoint("suspend.recorded");
      await endLiving(entry, live, deps, "suspended");
      faultPoint("suspend.ended");
    });
  });
}
