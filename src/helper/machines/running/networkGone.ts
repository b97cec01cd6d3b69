import type { MachineState } from "../../../protocol/machines.ts";
import { isSameProcess } from "../../qemu/process.ts";
import { networkGoneFinding } from "../../guests/diagnosis/explain.ts";
import type { Live } from "../roster/entry.ts";

/** QEMU runs, but the process that connects it to the network has ended: nothing brings that back but a new start. */
export async function hasLostNetwork({ handles }: Live): Promise<boolean> {
  const { process } = handles.network;
  return process !== undefined && !(await isSameProcess(process));
}

export const networkGone = ({ handles }: Live): MachineState => ({
  kind: "unready",
  sinceMs: Date.now(),
  diagnosis: {
    ...networkGoneFinding,
    stage: handles.boot.at(-1)?.stage ?? "firmware",
    waitedMs: Date.now() - handles.startedAtMs,
    runState: "running",
    addresses: [],
    probes: [],
    consoleTail: [],
  },
});
