/* A place in a script's text, and what is eaten from there: patterns are sticky ones. */
import { NotPlayed } from "./tree.ts";

export const blank = /(?:[ \t\r\ufeff]|`\r?\n|#[^\n]*)*/y;
export const lines = /(?:[\s\ufeff]|#[^\n]*)*/y;
export const gap = /(?:[\s;\ufeff]|#[^\n]*)*/y;
export const variable =
  /\$(?:\{([^}]+)\}|((?:(?:global|script|local|env):)?\w+))/iy;
/** PowerShell takes typographic quotes for the straight one. */
export const quoted =
  /['\u2018-\u201b]((?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*)['\u2018-\u201b]/y;

export interface Scanner {
  readonly match: (pattern: RegExp) => RegExpExecArray | undefined;
  /** Goes past what matches. */
  readonly take: (pattern: RegExp) => RegExpExecArray | undefined;
  readonly eat: (pattern: RegExp) => string | undefined;
  /** `what` is for people. */
  readonly must: (pattern: RegExp, what: string) => string;
  readonly fault: (what: string) => NotPlayed;
  readonly place: () => number;
  readonly back: (to: number) => void;
}

export function scanner(text: string): Scanner {
  let at = 0;
  const match: Scanner["match"] = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(text) ?? undefined;
  };
  const take: Scanner["take"] = (pattern) => {
    const found = match(pattern);
    at += found?.[0].length ?? 0;
    return found;
  };
  const fault: Scanner["fault"] = (what) => {
    const line = text.slice(0, at).split("\n").length;
    const here = text.slice(at, at + 40).split("\n")[0] ?? "";
    return new NotPlayed(`reads no ${what} (line ${String(line)}: “${here}”)`);
  };
  return {
    ...{ match, take, fault },
    eat: (pattern) => take(pattern)?.[0],
    must: (pattern, what) => {
      const found = take(pattern);
      if (found === undefined) throw fault(what);
      return found[0];
    },
    place: () => at,
    back: (to) => {
      at = to;
    },
  };
}
