import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import ts from "typescript";

export const root = resolve(import.meta.dirname, "../..");

/** The page that explains the numbers. */
export const neverAgainPath = "docs/never-again.md";

/** One place that cites a number of a failure, such as `B17`. */
export interface Citation {
  readonly number: string;
  /** From the project's root, with forward slashes. */
  readonly path: string;
  /** The name of the test or of the rows that cite it; undefined in a comment and outside of tests. */
  readonly test: string | undefined;
}

const folders = ["src", "test", "docs", "resources", "examples"];

/** Where numbers are explained or made up, not cited. */
const notCiting = (path: string): boolean =>
  path === neverAgainPath || path.startsWith("test/unit/docs/");

export const textFiles = /\.(?:ts|mjs|md|json|sh|py|ps1|html)$/;

/** The files below these folders of the project, sorted. */
export function filesBelow(
  names: readonly string[],
  wanted: RegExp = textFiles,
): string[] {
  return names
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true }),
    )
    .filter((entry) => entry.isFile() && wanted.test(entry.name))
    .map(({ parentPath, name }) =>
      relative(root, join(parentPath, name)).split(sep).join("/"),
    )
    .sort();
}

export const textOf = (path: string): string =>
  readFileSync(join(root, path), "utf8");

/**
 * `B4, B35–B38` → B4, B35, B36, B37, B38. Keys such as `Alt+F4` and `"F1"` are no numbers of failures. Pure.
 */
export function numbersIn(text: string): string[] {
  const pattern =
    /(?<![\w+])(?!(?<=")F\d+")(?<kind>[BF])(?<from>\d{1,2})(?:–[BF](?<to>\d{1,2}))?(?!\w)/g;
  const found = [...text.matchAll(pattern)].flatMap(({ groups }) => {
    const { kind = "", from = "", to = from } = groups ?? {};
    const first = Number(from);
    return Array.from(
      { length: Number(to) - first + 1 },
      (_, index) => `${kind}${String(first + index)}`,
    );
  });
  return [...new Set(found)];
}

/** B2 before B10, and the Bs before the Fs. Pure. */
export const byNumber = (a: string, b: string): number =>
  a.localeCompare(b, "en", { numeric: true });

/** Everything in the project that cites a number, in the order of the files. */
export function citations(): Citation[] {
  return filesBelow(folders)
    .filter((path) => !notCiting(path))
    .flatMap((path) => citationsIn(path, textOf(path)));
}

function citationsIn(path: string, text: string): Citation[] {
  const numbers = numbersIn(text);
  if (numbers.length === 0) return [];
  const names = /^test\/.*\.ts$/.test(path) ? stringsOf(path, text) : [];
  return numbers.flatMap((number): Citation[] => {
    const citing = names.filter((name) => numbersIn(name).includes(number));
    return citing.length === 0
      ? [{ number, path, test: undefined }]
      : citing.map((test) => ({ number, path, test }));
  });
}

/** Every string of a file as it is written; what a template fills in is “…”. */
function stringsOf(path: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) found.push(node.text);
    else if (ts.isTemplateExpression(node))
      found.push(
        [
          node.head.text,
          ...node.templateSpans.map(({ literal }) => literal.text),
        ].join("…"),
      );
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  return found;
}
