import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Language, Parser } from "@vscode/tree-sitter-wasm";

const wasm = dirname(
  createRequire(import.meta.url).resolve("@vscode/tree-sitter-wasm"),
);

/**
 * Tree-sitter's PowerShell grammar: answers with the places of a text that it can't read, as `line: text`. It catches
 * braces, strings and here-strings; it knows no cmdlets.
 */
export async function powerShellSyntax(): Promise<(text: string) => string[]> {
  await Parser.init({ locateFile: (name: string) => join(wasm, name) });
  const language = await Language.load(
    join(wasm, "tree-sitter-powershell.wasm"),
  );
  return (text) => {
    const parser = new Parser();
    parser.setLanguage(language);
    const tree = parser.parse(text);
    if (tree === null) throw new Error("the parser gave up");
    const faults: string[] = [];
    const visit = (node: NonNullable<typeof tree>["rootNode"]): void => {
      if (node.isError || node.isMissing)
        faults.push(
          `${String(node.startPosition.row + 1)}: ${node.isMissing ? `${node.type} is missing` : node.text.slice(0, 80)}`,
        );
      if (!node.hasError) return;
      for (const child of node.children) if (child !== null) visit(child);
    };
    visit(tree.rootNode);
    tree.delete();
    parser.delete();
    return faults;
  };
}
