import type { GuestInterface, GuestUser } from "../agent/agent.ts";

/** A program of the guest and what it reads. */
export interface Program {
  readonly argv: readonly string[];
  readonly input?: string;
}

/** A program whose output is understood by `read`. */
export interface Question<T> {
  readonly program: Program;
  readonly read: (stdout: string) => T;
}

/** How one kind of system does by a program what its agent may have no command for. Pure. */
export interface GuestPrograms {
  /** Prints the content as base64. */
  readonly readFile: (path: string) => Program;
  readonly writeFile: (path: string, content: Buffer) => Program;
  readonly setTime: (at: Date) => Program;
  readonly interfaces: Question<GuestInterface[]>;
  readonly users: Question<GuestUser[]>;
  readonly authorizeKeys: (user: string, keys: readonly string[]) => Program;
}
