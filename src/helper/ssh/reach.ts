import type { GuestSystem } from "../../protocol/images.ts";
import type { SshTarget } from "./target.ts";

/** What SSH needs to know about a machine, whether it runs or not. */
export interface ReachableMachine {
  readonly id: string;
  readonly name: string;
  readonly alias: string;
  readonly user: string;
  readonly os: GuestSystem;
  /** Loopback port while it runs. */
  readonly port?: number | undefined;
}

/** The way from a machine's name to its guest; whoever knows the machines gives it. */
export interface Reach {
  /** By name, alias or id; throws `machines.unknown`. */
  readonly find: (
    machine: string,
  ) => ReachableMachine | Promise<ReachableMachine>;
  /** Starts it when needed and answers once its guest can be reached. */
  readonly prepare: (
    machine: string,
    signal: AbortSignal,
  ) => Promise<{ readonly host: string; readonly port: number }>;
  /** Of a guest that can be reached now; refuses with `machines.wrongState` or `machines.notReady`. */
  readonly target: (machine: string, signal: AbortSignal) => Promise<SshTarget>;
  /** Of a guest that can be reached now, without ever starting it; undefined for another one. */
  readonly running: (machine: string) => Promise<SshTarget | undefined>;
  readonly aliases: () => readonly string[];
}
