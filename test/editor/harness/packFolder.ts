import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { execa } from "execa";

/** Resolved as a module: this file is also bundled into another folder. */
const manifest = createRequire(import.meta.url).resolve(
  "@vscode/vsce/package.json",
);
const vsce = join(dirname(manifest), "vsce");

/** Packs an extension's folder as it is; the path of the .vsix, beside the folder. */
export async function packFolder(folder: string): Promise<string> {
  const packagePath = `${folder}.vsix`;
  const options = ["--no-dependencies", "--allow-missing-repository"];
  await execa(
    process.execPath,
    [vsce, "package", ...options, "--skip-license", "--out", packagePath],
    { cwd: folder },
  );
  return packagePath;
}
