import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packFolder } from "./packFolder.ts";

/** Packs an extension that does nothing but be there; the path of its .vsix. */
export async function packSmallExtension(
  folder: string,
  name: string,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const manifest = {
    name,
    publisher: "guesthouse-test",
    displayName: "Small",
    description: "Is there, and does nothing.",
    version: "1.0.0",
    license: "MIT",
    engines: { vscode: "^1.100.0" },
    main: "./main.js",
    activationEvents: [],
  };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "main.js"), "exports.activate = () => {};\n");
  return packFolder(folder);
}
