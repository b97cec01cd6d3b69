import type { WindowsGuest } from "./guest.ts";
import type { ScriptBlock, Table } from "./values.ts";

/** One process of PowerShell, as cmdlets and .NET's types see it. */
export interface Session {
  readonly guest: WindowsGuest;
  readonly variables: Table;
  /** Where paths without a drive begin. */
  location: string;
  readonly write: (stream: "stdout" | "stderr", bytes: Buffer) => void;
  readonly read: (text: string) => ScriptBlock;
}

export interface CmdletCall {
  readonly session: Session;
  /** What came through the pipeline. */
  readonly input: readonly unknown[];
  readonly given: (parameter: string) => unknown;
  readonly text: (parameter: string) => string;
  readonly is: (parameter: string) => boolean;
}

/**
 * `takes` says which parameters there are (`*Name`: also by its place, `Name?`: a switch): another one is an error of the test,
 * since what it changes would not be played.
 */
export interface Cmdlet {
  readonly takes: string;
  /** An array comes out piece by piece, `undefined` not at all. */
  readonly run: (call: CmdletCall) => unknown;
}
