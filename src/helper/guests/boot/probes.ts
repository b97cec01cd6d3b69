import type { Diagnosis } from "../../../protocol/machines.ts";

/** One question to a guest. An optional one that fails never marks the machine as failed (B12). */
export type Probe = Diagnosis["probes"][number];

export const probe = (
  id: string,
  required: boolean,
  passed: boolean,
  detail: string,
): Probe => ({ id, required, passed, detail });
