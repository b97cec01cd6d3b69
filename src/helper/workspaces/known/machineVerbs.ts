import type { ParsedParams } from "../../../protocol/contract.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { MachineRecord } from "../../store/records.ts";

/** What a workspace asks of the machines' room. All throw `GuesthouseError`s only. */
export interface MachineVerbs {
  list(): Machine[];
  /** Made, not started. */
  create(
    params: ParsedParams<"machines.create">,
    signal: AbortSignal,
  ): Promise<Machine>;
  /** Answers once the guest is reached. */
  start(id: string, signal: AbortSignal): Promise<Machine>;
  stop(id: string, signal: AbortSignal): Promise<void>;
  /** Refuses where work would be lost, unless that is wanted. */
  remove(
    id: string,
    options: { readonly discard: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  /** The machine's alias leads into a dev container from now on, or, with undefined, to the VM itself. */
  noteLanding(
    id: string,
    landing: { readonly user: string; readonly home: string } | undefined,
  ): Promise<void>;
  /** What its containers publish from now on, and what its ports are called; answers once they're carried. */
  notePorts(
    id: string,
    ports: NonNullable<MachineRecord["ports"]>,
  ): Promise<Machine>;
  /** A folder of the host has its copy in the machine's guest. */
  noteFolder(
    id: string,
    folder: {
      readonly local: string;
      readonly guest: string;
      readonly branch?: string;
    },
  ): Promise<void>;
}
