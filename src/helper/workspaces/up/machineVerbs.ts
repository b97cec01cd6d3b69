import type { ParsedParams } from "../../../protocol/contract.ts";
import type { Machine } from "../../../protocol/machines.ts";

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
