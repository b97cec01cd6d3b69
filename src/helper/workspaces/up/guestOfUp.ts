import type { Machine } from "../../../protocol/machines.ts";
import type { SshSession } from "../../ssh/session.ts";
import type { SystemOps } from "../guest/systemOps.ts";
import type { ContainerPlan } from "./plan.ts";

/** The guest that an `up` is connected to. */
export interface GuestOfUp {
  readonly machine: Machine;
  readonly system: SystemOps;
  readonly session: SshSession;
}

/** A dev container and the VM around it. */
export interface ContainerOfUp {
  /** The VM. */
  readonly guest: GuestOfUp;
  readonly container: ContainerPlan;
}

/** What a guest remembers of earlier work; see `GuestMemory`. */
export type Marks = ReadonlyMap<string, string>;
