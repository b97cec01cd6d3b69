/* What a script of PowerShell is read into: as much of the language as our scripts are written in. */
/** The stand-in itself can't go on: no script may catch it, and the test fails with it. */
export class NotPlayed extends Error {
  constructor(what: string) {
    super(`The stand-in for Windows ${what}.`);
    this.name = "NotPlayed";
  }
}

export type Expression =
  | { readonly kind: "literal"; readonly value: unknown }
  | { readonly kind: "text"; readonly parts: readonly (string | Expression)[] }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | { readonly kind: "array" | "inner"; readonly body: Block }
  | {
      readonly kind: "table";
      readonly entries: readonly (readonly [Expression, Statement])[];
    }
  | { readonly kind: "script"; readonly script: Script }
  | { readonly kind: "type"; readonly name: string }
  | { readonly kind: "cast"; readonly type: string; readonly of: Expression }
  | {
      readonly kind: "unary";
      readonly operator: string;
      readonly of: Expression;
    }
  | {
      readonly kind: "binary";
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "member";
      readonly of: Expression;
      readonly name: string;
      /** Of a method that is called. */
      readonly args?: readonly Expression[];
    }
  | { readonly kind: "index"; readonly of: Expression; readonly at: Expression }
  | { readonly kind: "increment"; readonly of: Expression };

export interface Argument {
  /** Of a parameter, without its hyphen. */
  readonly name?: string;
  readonly value?: Expression;
}

export type Stage =
  | { readonly kind: "expression"; readonly of: Expression }
  | {
      readonly kind: "command";
      /** `&` runs in a scope of its own, `.` in the caller's. */
      readonly operator?: string;
      readonly name: Expression;
      readonly args: readonly Argument[];
      /** Errors go where its output goes. */
      readonly merged: boolean;
    };

export type Statement =
  | { readonly kind: "pipeline"; readonly stages: readonly Stage[] }
  | {
      readonly kind: "assign";
      readonly target: Expression;
      readonly operator: string;
      readonly value: Statement;
    }
  | {
      readonly kind: "if";
      readonly branches: readonly (readonly [Statement, Block])[];
      readonly otherwise: Block;
    }
  | {
      readonly kind: "foreach";
      readonly variable: string;
      readonly over: Statement;
      readonly body: Block;
    }
  | {
      readonly kind: "for";
      readonly first: Block;
      readonly condition: Block;
      readonly next: Block;
      readonly body: Block;
    }
  | {
      readonly kind: "try";
      readonly body: Block;
      readonly rescue: Block | undefined;
      readonly last: Block;
    }
  | {
      readonly kind: "function";
      readonly name: string;
      readonly script: Script;
    }
  | {
      readonly kind: "leave";
      readonly how: "return" | "exit" | "throw" | "break" | "continue";
      readonly value: Statement | undefined;
    };

export type Block = readonly Statement[];

export interface Script {
  readonly parameters: readonly {
    readonly name: string;
    readonly type: string | undefined;
  }[];
  readonly body: Block;
}
