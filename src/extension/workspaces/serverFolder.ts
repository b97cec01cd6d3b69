import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The folder of this editor's server in a home folder (`.vscode-server`, `.vscodium-server`), as the editor's own
 * product.json names it. Undefined where it names none.
 */
export async function serverFolderOf(
  appRoot: string,
): Promise<string | undefined> {
  try {
    const text = await readFile(join(appRoot, "product.json"), "utf8");
    const product: unknown = JSON.parse(text);
    if (typeof product !== "object" || product === null) return undefined;
    if (!("serverDataFolderName" in product)) return undefined;
    const { serverDataFolderName: name } = product;
    return typeof name === "string" &&
      /^\.[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)
      ? name
      : undefined;
  } catch {
    return undefined;
  }
}
