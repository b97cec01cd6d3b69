// `npm run build:landing`: compiles resources/guest/landing for the processors of VMs, into dist/landing/<arch>.
// Programs are static, since they run in the VM and in containers of any distribution; the two libraries in front of
// the SSH server's libc link nothing. A processor without a compiler here is left out, unless it is this computer's.
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Failure, runMain, say, step } from "./progress.mjs";
import { checkout } from "./project.mjs";
import { onPath, run } from "./run.mjs";

const sources = join(checkout, "resources", "guest", "landing");

/** @type {Record<string, string[]>} */
const programs = {
  landd: ["landd.c", "relay.c", "children.c"],
  gate: ["gate.c"],
  show: ["show.c"],
  listen: ["listen.c"],
  session: ["session.c"],
};

/** @type {Record<string, string[]>} */
const libraries = {
  "shim-sshd.so": ["shim.c"],
  "shim-sftp.so": ["-DSFTP", "shim.c"],
};

const common = [
  ...["-std=gnu11", "-Os", "-s", "-Wall", "-Wextra", "-Wno-unused-parameter"],
  "-Werror",
];
const asLibrary = [
  ...["-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-fvisibility=hidden"],
  "-fno-stack-protector",
];

/**
 * @typedef {object} Compiler
 * @property {string} program for static programs
 * @property {string} library for libraries
 */

/**
 * @param {"amd64" | "arm64"} arch
 * @returns {Compiler | undefined}
 */
function compilerFor(arch) {
  const own = { x64: "amd64", arm64: "arm64" }[process.arch] === arch;
  const prefix = { amd64: "x86_64-linux-gnu-", arm64: "aarch64-linux-gnu-" };
  const gcc =
    (own && process.platform === "linux" ? onPath("gcc") : undefined) ??
    onPath(`${prefix[arch]}gcc`);
  if (gcc === undefined) return undefined;
  // musl's programs are a tenth of glibc's, and need less memory for each session.
  const musl = own ? onPath("musl-gcc") : undefined;
  return { program: musl ?? gcc, library: gcc };
}

/**
 * Compiles what is older than its sources.
 * @returns {Promise<string[]>} the processors whose programs are there, in Debian's words
 */
export async function buildLanding() {
  const made = [];
  for (const arch of /** @type {const} */ (["amd64", "arm64"])) {
    const folder = join(checkout, "dist", "landing", arch);
    const compiler = compilerFor(arch);
    if (await isCurrent(folder)) made.push(arch);
    else if (compiler !== undefined) {
      await step(`Compiling the landing for ${arch}`, () =>
        compile(compiler, folder),
      );
      made.push(arch);
    } else
      say(
        `Landing for ${arch}: left out, there is no compiler (${remedy(arch)})`,
      );
  }
  if (made.length > 0) return made;
  throw new Failure(
    "The programs of the landing couldn't be compiled.",
    "there is no C compiler for Linux here",
    `Install one: ${remedy(process.arch === "arm64" ? "arm64" : "amd64")}.`,
  );
}

/** @param {"amd64" | "arm64"} arch */
const remedy = (arch) =>
  ({ x64: "amd64", arm64: "arm64" })[process.arch] === arch
    ? "apt install gcc libc6-dev musl-tools"
    : `apt install gcc-${arch === "arm64" ? "aarch64" : "x86-64"}-linux-gnu libc6-dev-${arch}-cross`;

/**
 * @param {Compiler} compiler
 * @param {string} folder
 */
async function compile(compiler, folder) {
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  const what = "The programs of the landing couldn't be compiled.";
  for (const [name, files] of Object.entries(programs))
    await run(
      compiler.program,
      [...common, "-static", "-o", join(fresh, name), ...files],
      { cwd: sources, what },
    );
  for (const [name, files] of Object.entries(libraries))
    await run(
      compiler.library,
      [...common, ...asLibrary, "-o", join(fresh, name), ...files],
      { cwd: sources, what },
    );
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
}

/** @param {string} folder */
async function isCurrent(folder) {
  const outputs = [...Object.keys(programs), ...Object.keys(libraries)];
  const built = await Promise.all(
    outputs.map((name) => modifiedMs(join(folder, name))),
  );
  const files = (await readdir(sources)).filter((name) => /\.[ch]$/.test(name));
  const changed = await Promise.all(
    files.map((name) => modifiedMs(join(sources, name))),
  );
  return Math.min(...built) > Math.max(...changed);
}

/** @param {string} path */
const modifiedMs = (path) =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await runMain(async () => {
    const made = await buildLanding();
    say(`dist/landing: ${made.join(", ")}`);
    return 0;
  });
