import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";

/** A parsed file that still knows where everything stands. */
export interface JsoncDocument {
  readonly value: unknown;
  /** The first thing that is no JSON with comments, as `line 3: comma expected`. */
  readonly error: string | undefined;
  /** Line, from 1, of a value or of the nearest one above it. */
  lineOf(path: readonly (string | number)[]): number;
}

/** JSON with comments; trailing commas are taken, as the editors of such files do. */
export function parseJsonc(text: string): JsoncDocument {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const lineAt = (offset: number): number =>
    text.slice(0, offset).split("\n").length;
  const [first] = errors;
  return {
    value: root === undefined ? undefined : (getNodeValue(root) as unknown),
    error:
      first === undefined
        ? undefined
        : `line ${String(lineAt(first.offset))}: ${inWords(printParseErrorCode(first.error))}`,
    lineOf: (path) => lineAt(nearest(root, path)?.offset ?? 0),
  };
}

function nearest(
  root: Node | undefined,
  path: readonly (string | number)[],
): Node | undefined {
  if (root === undefined) return undefined;
  return path.length === 0
    ? root
    : (findNodeAtLocation(root, [...path]) ?? nearest(root, path.slice(0, -1)));
}

/** `CommaExpected` → `comma expected`. */
const inWords = (code: string): string =>
  code.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
