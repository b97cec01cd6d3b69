import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * A stand-in for the SSH extensions of the editors, which can't be installed here: it is called like one of them and
 * has their settings, so that ours finds it, writes to it and asks the editor to open a window through it.
 */
const manifest = {
  name: "open-remote-ssh",
  publisher: "jeanp413",
  displayName: "Stand-in for Remote - SSH",
  description: "Has the name and the settings of an SSH extension.",
  version: "0.0.1",
  license: "MIT",
  engines: { vscode: "^1.100.0" },
  main: "./main.js",
  activationEvents: [],
  contributes: {
    configuration: {
      properties: {
        "remote.SSH.configFile": {
          type: ["string", "null"],
          default: null,
          scope: "application",
        },
        "remote.SSH.remotePlatform": {
          type: "object",
          default: {},
          scope: "application",
        },
        "remote.SSH.connectTimeout": {
          type: "number",
          default: 15,
          scope: "application",
        },
      },
    },
  },
};

/** Writes the stand-in as an unpacked extension; the folder's path. */
export async function writeSshExtension(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "main.js"), "exports.activate = () => {};\n");
  return folder;
}
