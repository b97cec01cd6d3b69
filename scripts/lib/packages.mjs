// Installs missing programs by the host's package manager, after asking where there is somebody to ask.
import { createInterface } from "node:readline/promises";
import { say, Unavailable } from "./progress.mjs";
import { capture, onPath, run } from "./run.mjs";

/** @import { ManagerName, Program } from "./programs.mjs" */

/** @type {Record<ManagerName, {install: string[], refresh?: string[], asRoot: boolean}>} */
const managers = {
  "apt-get": {
    refresh: ["update", "-qq"],
    install: ["install", "-y", "--no-install-recommends"],
    asRoot: true,
  },
  dnf: { install: ["install", "-y"], asRoot: true },
  pacman: { install: ["-S", "--needed", "--noconfirm"], asRoot: true },
  zypper: { install: ["--non-interactive", "install"], asRoot: true },
  brew: { install: ["install"], asRoot: false },
  winget: {
    install: [
      "install",
      "--accept-package-agreements",
      "--accept-source-agreements",
      "--exact",
      "--id",
    ],
    asRoot: false,
  },
};

/**
 * Programs that are not there yet, or not with what they need.
 * @param {Program[]} programs
 */
export const missing = (programs) =>
  programs.filter(
    ({ command, works = () => true }) =>
      onPath(command) === undefined || !works(),
  );

/** Optional programs that an installation was tried for: nobody is kept waiting for them twice. */
const tried = new Set();

/** What the one question was answered; nobody is asked twice. @type {boolean | undefined} */
let answer;

/**
 * Sees to it that programs are there. Asks first on a terminal; without one it goes ahead when it is root or may
 * become it without a password, and refuses otherwise.
 * @param {Program[]} programs
 * @param {{purpose: string, assumeYes?: boolean}} options purpose completes "needed to …"
 * @throws {Unavailable} when a program that is not optional stays missing
 */
export async function ensurePrograms(programs, { purpose, assumeYes = false }) {
  const lacking = missing(
    programs.filter(
      ({ command }, at) =>
        programs.findIndex((one) => one.command === command) === at,
    ),
  );
  if (lacking.length === 0) return;
  const required = lacking.filter(({ optional }) => !optional);
  if (
    required.length === 0 &&
    lacking.every(({ command }) => tried.has(command))
  )
    return;
  const names = lacking.map(({ command }) => command).join(", ");
  const what = `Missing on this machine, needed to ${purpose}: ${names}.`;

  const manager = /** @type {ManagerName[]} */ (Object.keys(managers)).find(
    (name) => onPath(name),
  );
  if (manager === undefined || packagesOf(lacking, manager).length === 0) {
    if (required.length === 0) return;
    throw new Unavailable(
      what,
      "no package manager known to Guesthouse brings them here",
      "Install them yourself and run this again.",
    );
  }

  for (const { command } of lacking) tried.add(command);
  const sudo =
    managers[manager].asRoot && process.getuid?.() !== 0 ? ["sudo"] : [];
  const lines = [required, lacking.filter(({ optional }) => optional)]
    .map((some) => packagesOf(some, manager))
    .filter((packages) => packages.length > 0)
    .map((packages) => [
      ...sudo,
      manager,
      ...managers[manager].install,
      ...packages,
    ]);
  await consent(what, lines.map((line) => line.join(" ")).join(" && "), {
    assumeYes,
    needsSudo: sudo.length > 0,
  });
  const { refresh } = managers[manager];
  // A package list that can't be refreshed may still be good enough: the installation tells.
  if (refresh) await runLine(capture, [...sudo, manager, ...refresh]);
  for (const line of lines) {
    say(`Installing: ${line.join(" ")}`);
    await runLine(capture, line);
  }
  const still = missing(required);
  if (still.length === 0) return;
  say("The installation did not bring everything; once more, to see why:");
  await runLine(run, lines[0] ?? []);
  throw new Unavailable(
    `${still.map(({ command }) => command).join(", ")} cannot be found after installing.`,
    "the package may put it outside of PATH",
    "Add its folder to PATH and run this again.",
  );
}

/**
 * @param {Program[]} programs
 * @param {ManagerName} manager
 */
function packagesOf(programs, manager) {
  return [
    ...new Set(programs.flatMap(({ packages }) => packages[manager] ?? [])),
  ];
}

/**
 * @template T
 * @param {(command: string, args: string[], options: object) => Promise<T>} runner
 * @param {string[]} line
 */
function runLine(runner, [command = "", ...args]) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return runner(command, args, { env, show: process.stdin.isTTY === true });
}

/**
 * @param {string} what
 * @param {string} command
 * @param {{assumeYes: boolean, needsSudo: boolean}} options
 */
async function consent(what, command, { assumeYes, needsSudo }) {
  const remedy = `Run: ${command}`;
  if (process.stdin.isTTY) {
    answer ??=
      assumeYes ||
      (await confirm(`${what}\nInstall with \`${command}\`? [Y/n] `));
    if (answer) return;
    throw new Unavailable(what, "you declined to install them", remedy);
  }
  if (needsSudo && (await capture("sudo", ["-n", "true"])).code !== 0) {
    throw new Unavailable(
      what,
      "installing them takes root, and this is neither root nor a terminal to ask on",
      remedy,
    );
  }
}

/** @param {string} question */
export async function confirm(question) {
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
  });
  try {
    const answer = (await terminal.question(question)).trim().toLowerCase();
    return ["", "y", "yes"].includes(answer);
  } finally {
    terminal.close();
  }
}
