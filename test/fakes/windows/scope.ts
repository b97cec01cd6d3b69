/* What a running script sees: variables and functions of where it is called, and the ways out of it. */
import type { Script } from "./tree.ts";
import type { Failure } from "./values.ts";

export interface Scope {
  readonly variables: Map<string, unknown>;
  readonly functions: Map<string, Script>;
  readonly parent: Scope | undefined;
}
export type Emit = (value: unknown) => void;

/** A way out of what runs, which no `catch` of a script gets. */
export class Leaving extends Error {
  readonly how: "return" | "exit" | "break" | "continue";
  readonly code: number;
  constructor(how: Leaving["how"], code = 0) {
    super(how);
    this.how = how;
    this.code = code;
  }
}

export const inner = (parent: Scope | undefined): Scope => ({
  ...{ variables: new Map<string, unknown>() },
  ...{ functions: new Map<string, Script>(), parent },
});

/** Arrays come out of a pipeline piece by piece, `undefined` not at all. */
export const emitAll = (value: unknown, emit: Emit): void => {
  if (Array.isArray(value)) for (const each of value) emit(each);
  else if (value !== undefined) emit(value);
};

/** What a script gets of a failure, as `$_`. */
export const recordOf = (error: Failure) => ({
  Exception: { Message: error.message },
  InvocationInfo: { ScriptLineNumber: 0 },
});
