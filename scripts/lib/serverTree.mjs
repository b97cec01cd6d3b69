// VS Code's server packed for a guest: Node and the server, without what only desktops, other platforms or its own
// development use.
import { cp, mkdir, rm, symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { cached } from "./cache.mjs";
import {
  codeServerVersion,
  installCodeServer,
  nodeVersion,
} from "./codeServer.mjs";
import { Failure, step } from "./progress.mjs";
import { run } from "./run.mjs";

/** Which server it is; names the folder in the guest, so that a newer one doesn't run in an older one's files. */
export const serverVersion = `${codeServerVersion}-node-${nodeVersion}`;

const platform = `${process.platform}-${process.arch}`;

/** Folders of the server that a guest has no use for; the agents in them also phone home. */
const unused = [
  "extensions/copilot",
  "extensions/mermaid-markdown-features",
  "node_modules/@github",
  "node_modules/@microsoft/mxc-sdk",
  "node_modules/@devcontainers",
  "node_modules/@vscode/windows-process-tree",
  "node_modules/@vscode/windows-registry",
  "node_modules/@vscode/sandbox-runtime",
];

/** Where modules keep binaries for every platform; only the folder of this one is wanted. */
const perPlatform = [
  "node_modules/node-pty/prebuilds",
  "node_modules/@vscode/ripgrep-universal/bin",
];

/** @param {string} path below lib/vscode, with slashes */
function isWanted(path) {
  if (unused.some((folder) => path === folder || path.startsWith(`${folder}/`)))
    return false;
  if (
    perPlatform.some(
      (folder) =>
        path.startsWith(`${folder}/`) &&
        !path.startsWith(`${folder}/${platform}`),
    )
  )
    return false;
  if (path.startsWith("node_modules/node-pty/third_party")) return false;
  return !/\.(map|o|d)$|\/obj\.target$/.test(path);
}

/**
 * The packed server, made once and kept in the cache folder.
 * @returns {Promise<string>} a .tar.gz with `node` and `vscode/` at its top
 */
export async function packedServer() {
  if (process.platform !== "linux") {
    throw new Failure(
      "VS Code's server for a guest can only be packed on Linux.",
      "its native parts are compiled for the guest's platform",
      "Install desktop VS Code with a Remote-SSH extension; it brings its own server.",
    );
  }
  return cached(
    `vscode-server-${serverVersion}-${platform}.tar.gz`,
    [],
    async (path) => {
      const { node, codeServer } = await installCodeServer();
      await step("Packing VS Code's server for guests", () =>
        pack(path, node, join(codeServer, "lib", "vscode")),
      );
    },
  );
}

/**
 * @param {string} path
 * @param {string} node
 * @param {string} vscode
 */
async function pack(path, node, vscode) {
  const staging = `${path}.d`;
  try {
    await mkdir(staging, { recursive: true });
    await cp(node, join(staging, "node"));
    await cp(vscode, join(staging, "vscode"), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => isWanted(relative(vscode, source)),
    });
    // As the server's own postinstall names it: what `code` in a terminal of the guest starts.
    const commandLine = join(staging, "vscode", "bin", "remote-cli", "code");
    await rm(commandLine, { force: true });
    await symlink("code-linux.sh", commandLine);
    // gzip, as an emulated guest unpacks it several times faster than xz, and every guest has it.
    await run("tar", [
      "--create",
      "--gzip",
      "--file",
      path,
      "--owner=0",
      "--group=0",
      "-C",
      staging,
      "node",
      "vscode",
    ]);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}
