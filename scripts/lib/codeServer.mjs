// VS Code that runs without a desktop: code-server from npm, with the Node it needs, in the cache folder.
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { cached, cacheRoot } from "./cache.mjs";
import { ensurePrograms } from "./packages.mjs";
import { nativeBuildPrograms } from "./programs.mjs";
import { Failure, step } from "./progress.mjs";
import { npm, run } from "./run.mjs";

/** code-server 4.139.1 is Code 1.139.1; its `engines` field asks for Node 24. */
export const codeServerVersion = "4.139.1";
export const nodeVersion = "24.21.0";

/** Native modules without a prebuilt binary which the server cannot start without. */
const nativeModules = ["@vscode/spdlog", "@vscode/native-watchdog"];

const platform = `${process.platform}-${process.arch}`;

/**
 * A Node 24 of its own, from the npm package that carries the official binary and its headers.
 * @returns {Promise<string>} the folder with bin/node and include/
 */
export async function installNode() {
  const name = `node-${platform}`;
  const proof = join("node_modules", name, "bin", "node");
  const folder = await cached(`${name}-${nodeVersion}`, [proof], (path) =>
    step(`Getting Node ${nodeVersion} for VS Code's server`, async () => {
      await npmInstall(path, [`${name}@${nodeVersion}`], process.env);
    }),
  );
  return join(folder, "node_modules", name);
}

/**
 * @param {string} prefix folder to install into
 * @param {string[]} packages
 * @param {NodeJS.ProcessEnv} env
 */
async function npmInstall(prefix, packages, env) {
  const [command, ...start] = npm(nodeIn(env));
  const args = [
    ...start,
    "install",
    "--prefix",
    prefix,
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    ...packages,
  ];
  await run(command, args, {
    env,
    what: `npm could not install ${packages.join(", ")}.`,
    remedy:
      "Check that the npm registry can be reached (`npm ping`), then run this again.",
  });
}

/**
 * The environment in which a Node folder comes first, and native modules are built against its headers. Under
 * `npm test` this process carries the settings of this project's npm in `npm_config_…`, which are not the server's.
 * @param {string} nodeFolder
 * @returns {NodeJS.ProcessEnv}
 */
function environmentOf(nodeFolder) {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^npm_(config|package|lifecycle)_/i.test(name),
  );
  return {
    ...Object.fromEntries(own),
    PATH: `${join(nodeFolder, "bin")}${delimiter}${process.env.PATH ?? ""}`,
    npm_config_nodedir: nodeFolder,
  };
}

/** @param {NodeJS.ProcessEnv} env */
const nodeIn = (env) =>
  env.npm_config_nodedir
    ? join(env.npm_config_nodedir, "bin", "node")
    : process.execPath;

const inside = join("node_modules", "code-server");
const folderName = `code-server-${codeServerVersion}-node-${nodeVersion}-${platform}`;
const proof = [
  join(inside, "out/node/entry.js"),
  join(inside, "lib/vscode/out/server-main.js"),
  ...nativeModules.map((name) =>
    join(inside, "lib/vscode/node_modules", name, "build/Release"),
  ),
  "complete.json",
];

/** Whether it is there already, so that nothing is needed to build it with. */
export const codeServerIsHere = () =>
  proof.every((path) => existsSync(join(cacheRoot(), folderName, path)));

/**
 * code-server, complete enough to run: its own postinstall would also build modules that need Kerberos headers, so
 * scripts stay off and only the native modules that it can't start without are built.
 * @returns {Promise<{node: string, nodeFolder: string, codeServer: string}>} the Node binary, its folder, and the
 *   folder of the code-server package
 * @throws {Failure} no registry, no compiler, or a platform without these packages
 */
export async function installCodeServer() {
  if (process.platform === "win32") {
    throw new Failure(
      "VS Code's server cannot be installed from npm on Windows.",
      "its npm package supports Linux and macOS",
      "Use desktop VS Code.",
    );
  }
  const nodeFolder = await installNode();
  const folder = await cached(folderName, proof, (path) =>
    step(`Getting VS Code's server (code-server ${codeServerVersion})`, () =>
      fillCodeServer(path, nodeFolder),
    ),
  );
  return {
    node: join(nodeFolder, "bin", "node"),
    nodeFolder,
    codeServer: join(folder, inside),
  };
}

/**
 * @param {string} path
 * @param {string} nodeFolder
 */
async function fillCodeServer(path, nodeFolder) {
  await ensurePrograms(nativeBuildPrograms, {
    purpose: "build VS Code's server",
  });
  const env = environmentOf(nodeFolder);
  await npmInstall(path, [`code-server@${codeServerVersion}`], env);
  const codeServer = join(path, "node_modules", "code-server");
  const vscode = join(codeServer, "lib", "vscode");
  const [command, ...start] = npm(nodeIn(env));
  for (const cwd of [vscode, join(vscode, "extensions")]) {
    await run(
      command,
      [
        ...start,
        "install",
        "--omit=dev",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
      ],
      { cwd, env },
    );
  }
  await run(
    command,
    [
      ...start,
      "rebuild",
      "--ignore-scripts=false",
      "--foreground-scripts",
      ...nativeModules,
    ],
    {
      cwd: vscode,
      env,
      what: "The native parts of VS Code's server could not be built.",
      remedy:
        "Install a C++ compiler, make and Python 3 (Debian: apt-get install g++ make python3), then run this again.",
    },
  );
  const { version } = JSON.parse(
    await readFile(join(codeServer, "package.json"), "utf8"),
  );
  await writeFile(
    join(path, "complete.json"),
    JSON.stringify({ version, nodeVersion }),
  );
}
