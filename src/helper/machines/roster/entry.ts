import type { Machine, MachineState } from "../../../protocol/machines.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import type { MachineHandles, MachineRecord } from "../../store/records.ts";

/** What exists only while QEMU lives. Its fields belong to those who start, watch and end that QEMU. */
export interface Live {
  /** Changed by the registry only, which writes them (`note`). */
  readonly handles: MachineHandles;
  /** Absent when QEMU lives but its monitor does not answer. */
  qmp: Qmp | undefined;
  /** Set by whoever asks the machine to end, before asking. */
  stopReason: MachineRecord["lastStop"]["reason"] | undefined;
  /** Ends the readiness watch of this boot. */
  watch: AbortController;
  /** It waited in the pool: its name is all that it has to be told. */
  readonly pooled?: boolean;
  /** Its memory is being saved: that QEMU stops and goes on is no news then. */
  capturing?: boolean;
  /** Its end is being booked, or was. */
  ended?: Promise<void>;
  /** QEMU's word on why the guest ended (event SHUTDOWN). */
  shutdownCause: string | undefined;
}

/**
 * One machine in memory: a cache of its record and of its process. The registry alone changes it; the fields are what
 * they are now at each look.
 */
export interface Entry {
  readonly record: MachineRecord;
  readonly state: MachineState;
  readonly live: Live | undefined;
  /** Stages of the newest boot; stays after the end. */
  readonly boot: Machine["boot"];
  readonly revision: number;
}
