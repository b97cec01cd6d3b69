import type { GuestSystem } from "../../protocol/images.ts";
import type { SshTarget } from "./target.ts";

/** What SSH needs to know about a machine, whether it runs or not. */
export interface SshMachine {
  readonly id: string;
  readonly name: string;
  readonly alias: string;
  readonly user: string;
  readonly os: GuestSystem;
  /** Loopback port while it runs. */
  readonly port?: number | undefined;
}

/** How SSH gets from a machine's name to its guest; whoever knows the machines gives it. */
export interface GuestAccess {
  /** By name, alias or id; throws `machines.unknown`. */
  readonly find: (machine: string) => SshMachine | Promise<SshMachine>;
  /** Starts it when needed and answers once its guest can be reached. */
  readonly prepare: (
    machine: string,
    signal: AbortSignal,
  ) => Promise<{ readonly host: string; readonly port: number }>;
  /** Of a guest that can be reached now; refuses with `machines.wrongState` or `machines.notReady`. */
  readonly target: (machine: string, signal: AbortSignal) => Promise<SshTarget>;
  /** Of a guest that can be reached now, without ever starting it; undefined for another one. */
  readonly running: (machine: string) => Promise<SshTarget | undefined>;
  /** Of the dev container in a guest that runs; refuses with `machines.wrongState` where there is none. */
  readonly landing: (machine: string) => Promise<SshTarget>;
  readonly aliases: () => readonly string[];
}
