import {
  applyEdits,
  createScanner,
  findNodeAtLocation,
  modify,
  parseTree,
} from "jsonc-parser";

/** Sets a property of an object, at a path of names; everything around it stays as it is. */
export const setProperty = (
  text: string,
  path: readonly string[],
  value: unknown,
): string =>
  applyEdits(
    text,
    modify(text, [...path], value, {
      formattingOptions: { insertSpaces: true, tabSize: 2 },
    }),
  );

/** Takes a property out. Unlike the library's own way it leaves the comments before and behind it. */
export function removeProperty(text: string, path: readonly string[]): string {
  const root = parseTree(text, [], { allowTrailingComma: true });
  const property =
    root === undefined
      ? undefined
      : findNodeAtLocation(root, [...path])?.parent;
  const siblings = property?.parent?.children ?? [];
  if (property === undefined) return text;
  const start = property.offset;
  const end = start + property.length;
  const comma = commaAfter(text, end);
  if (comma !== undefined)
    return withoutBlankLine(
      `${text.slice(0, start)}\0${text.slice(end, comma)}${text.slice(comma + 1)}`,
    );
  const before = siblings[siblings.indexOf(property) - 1];
  const last =
    before === undefined
      ? undefined
      : commaAfter(text, before.offset + before.length);
  const head =
    last === undefined
      ? text.slice(0, start)
      : `${text.slice(0, last)}${text.slice(last + 1, start)}`;
  return withoutBlankLine(`${head}\0${text.slice(end)}`);
}

/** Offset of the comma behind a value, with nothing but space and comments between. */
function commaAfter(text: string, offset: number): number | undefined {
  const scanner = createScanner(text, true);
  scanner.setPosition(offset);
  scanner.scan();
  const at = scanner.getTokenOffset();
  return text.charAt(at) === "," ? at : undefined;
}

/** Where something was taken out, its line goes with it when nothing else stands on it. */
const withoutBlankLine = (text: string): string =>
  text.replace(/\n[ \t]*\0[ \t]*(?=\r?\n)|\0[ \t]*/, "");
