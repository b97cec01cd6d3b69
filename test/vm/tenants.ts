import type { Machine } from "../../src/protocol/machines.ts";
import type { Household } from "./household.ts";

/** Two running clones of one image, which several groups of tests share: a boot under emulation is dear. */
export interface Tenants {
  readonly house: Household;
  readonly one: Machine;
  readonly two: Machine;
}
