import { createVSIX } from "@vscode/vsce";

/** Packs an extension's folder as it is; the path of the .vsix, beside the folder. */
export async function packFolder(folder: string): Promise<string> {
  const packagePath = `${folder}.vsix`;
  await createVSIX({
    cwd: folder,
    packagePath,
    dependencies: false,
    allowMissingRepository: true,
    skipLicense: true,
  });
  return packagePath;
}
