import ts from "typescript";
import { exitCodeOf } from "../../src/helper/cli/terminal/exitCodes.ts";
import {
  type Failure,
  type FailureCode,
  failureCodes,
} from "../../src/protocol/failure.ts";
import { filesBelow, textOf } from "./citations.ts";
import { failureMeanings } from "./failureMeanings.ts";
import { code, table, written } from "./markdown.ts";

type Kind = Failure["kind"];

/** The functions that make a failure are called as its kind is. */
const kinds: readonly Kind[] = ["refused", "failed"];

/** Kinds that `src/protocol/failure.ts` gives these by itself. */
const given: Readonly<Partial<Record<FailureCode, Kind>>> = {
  "request.cancelled": "cancelled",
  "internal.bug": "bug",
};

/** docs/reference/failures.md: every code, how it ends a request, and what it means. */
export function failuresPage(): string {
  const made = kindsInCode();
  const rows = failureCodes.map((name) => {
    const own = given[name];
    const all = own === undefined ? [...(made.get(name) ?? [])].sort() : [own];
    const exits = all.map((kind) =>
      String(exitCodeOf({ kind, code: name, message: "" })),
    );
    return [
      code(name),
      failureMeanings[name],
      all.join(", "),
      [...new Set(exits)].join(", "),
    ];
  });
  return [
    written(
      "Failure codes",
      "Every way a request can end badly. `--json` prints the code; the exit code of the command line follows from the kind. _refused_: wrong state or a bad request. _failed_: this computer, a tool, the disk or the network. _cancelled_: somebody asked for it. _bug_: an error of ours.",
    ),
    table(["Code", "Meaning", "Kind", "Exit code"], rows),
  ].join("\n\n");
}

/** Each code with the kinds that src gives it: `refused("machines.unknown", …)`. */
function kindsInCode(): Map<string, Set<Kind>> {
  const found = new Map<string, Set<Kind>>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      const kind = kinds.find((one) => one === callee(node));
      if (kind !== undefined && node.arguments[0] !== undefined)
        for (const name of stringsIn(node.arguments[0]))
          found.set(name, (found.get(name) ?? new Set()).add(kind));
    }
    ts.forEachChild(node, visit);
  };
  for (const path of filesBelow(["src"], /\.ts$/)) {
    const text = textOf(path);
    if (/\b(?:refused|failed)\(/.test(text))
      visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  }
  return found;
}

const callee = ({ expression }: ts.CallExpression): string =>
  ts.isIdentifier(expression) ? expression.text : "";

/** A code, or both of `isThere ? "images.busy" : "images.inUse"`. */
function stringsIn(node: ts.Node): string[] {
  if (ts.isStringLiteral(node)) return [node.text];
  return ts.isConditionalExpression(node)
    ? [...stringsIn(node.whenTrue), ...stringsIn(node.whenFalse)]
    : [];
}
