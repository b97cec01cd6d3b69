// Child processes for the scripts: argument arrays only, with Node's own modules only.
import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Failure } from "./progress.mjs";

/**
 * Where a program is on PATH (or in the system folders that a user's PATH often lacks), or undefined.
 * @param {string} name
 * @returns {string | undefined}
 */
export function onPath(name) {
  const windows = process.platform === "win32";
  const folders = (process.env.PATH ?? "")
    .split(delimiter)
    .concat(windows ? [] : ["/usr/sbin", "/sbin"]);
  const endings = windows
    ? (process.env.PATHEXT ?? ".EXE;.CMD;.BAT").split(";")
    : [""];
  for (const folder of folders) {
    for (const ending of endings) {
      const candidate = join(folder, name + ending);
      try {
        accessSync(candidate, constants.X_OK);
        if (folder !== "" && statSync(candidate).isFile()) return candidate;
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined;
}

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/** Asks all programs that run now to end; whoever waits for them goes on, and cleans up after them. */
export function endAll() {
  for (const child of running) child.kill("SIGTERM");
}

/**
 * @typedef {object} Outcome
 * @property {number} code exit code; 127 when the program could not be started, 128 when a signal ended it
 * @property {string} stdout
 * @property {string} stderr
 */

/**
 * Runs a program to its end, whatever its exit code.
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv, show?: boolean, onLine?: (line: string) => void, input?: import("node:stream").Readable, timeoutMs?: number}} [options]
 *   show: the program writes to the terminal itself; onLine: called for each line it writes on either stream
 * @returns {Promise<Outcome>}
 */
export function capture(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: options.show
        ? "inherit"
        : [options.input ? "pipe" : "ignore", "pipe", "pipe"],
      ...(options.timeoutMs ? { timeout: options.timeoutMs } : {}),
    });
    running.add(child);
    child.on("exit", () => running.delete(child));
    const text = { stdout: "", stderr: "" };
    for (const name of /** @type {const} */ (["stdout", "stderr"])) {
      let rest = "";
      child[name]?.setEncoding("utf8").on("data", (chunk) => {
        text[name] += chunk;
        const lines = (rest + chunk).split(/\r?\n|\r/);
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") options.onLine?.(line);
      });
    }
    if (options.input && child.stdin) {
      // The far end may close early; its exit code tells the story, not the broken pipe.
      child.stdin.on("error", () => {});
      options.input.pipe(child.stdin);
    }
    child.on("error", (error) =>
      resolve({
        code: 127,
        stdout: text.stdout,
        stderr: `${text.stderr}${error.message}\n`,
      }),
    );
    child.on("close", (code) => resolve({ code: code ?? 128, ...text }));
  });
}

/**
 * Runs a program that must succeed.
 * @param {string} command
 * @param {string[]} args
 * @param {Parameters<typeof capture>[2] & {what?: string, remedy?: string}} [options]
 * @returns {Promise<string>} what it wrote on stdout
 */
export async function run(command, args, options = {}) {
  const outcome = await capture(command, args, options);
  if (outcome.code === 0) return outcome.stdout;
  const shown = [command, ...args].join(" ");
  const lastLines = (outcome.stderr.trim() || outcome.stdout.trim())
    .split("\n")
    .slice(-15)
    .join("\n          ");
  throw new Failure(
    options.what ?? `\`${shown}\` failed.`,
    `exit code ${outcome.code}${lastLines === "" ? "" : `:\n          ${lastLines}`}`,
    options.remedy ?? `Run it yourself to see more: ${shown}`,
  );
}

/**
 * How to start npm with a given Node: npm is a shell script or batch file, so its JavaScript is preferred.
 * @param {string} [node]
 * @returns {[command: string, ...args: string[]]}
 */
export function npm(node = process.execPath) {
  const script = process.env.npm_execpath;
  if (script?.endsWith(".js")) return [node, script];
  const beside = join(
    process.execPath,
    "..",
    "node_modules",
    "npm",
    "bin",
    "npm-cli.js",
  );
  return process.platform === "win32" ? [node, beside] : ["npm"];
}
