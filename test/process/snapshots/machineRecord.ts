import type { MachineRecord } from "../../../src/helper/store/records.ts";
import { machineRecord as anyRecord } from "../../fakes/machineRecord.ts";
import { machineId } from "./bareMachine.ts";

export const machineRecord: MachineRecord = {
  ...anyRecord,
  id: machineId,
  memoryMiB: 160,
};
