#!/usr/bin/env node
// `npm start`: from a fresh clone to a virtual machine open in the editor. Needs nothing but Node and npm; installs,
// builds and makes what is missing, and reuses what is there.
import { parseArgs } from "node:util";
import { codeServerIsHere } from "./lib/codeServer.mjs";
import { findDesktop, openInBrowser, openOnDesktop } from "./lib/desktop.mjs";
import { forward, startServerInGuest } from "./lib/guestServer.mjs";
import { ask, guesthouse } from "./lib/helper.mjs";
import { ensurePrograms } from "./lib/packages.mjs";
import { checkNode, ensureBuilt, ensureDependencies } from "./lib/project.mjs";
import {
  imageBuildPrograms,
  nativeBuildPrograms,
  virtualMachinePrograms,
} from "./lib/programs.mjs";
import { Failure, runMain, say, step } from "./lib/progress.mjs";
import { run } from "./lib/run.mjs";

const usage = `npm start -- [options]

  --headless      only make and start the machine; print how to reach it
  --browser       VS Code in the browser, even where desktop VS Code is installed
  --name NAME     the machine to make or reuse (guesthouse)
  --image IMAGE   what a new machine is cloned from (debian-12)
  --yes           install missing programs without asking`;

/** @typedef {{headless: boolean, browser: boolean, name: string, image: string, yes: boolean, help: boolean}} Options */

/** @returns {Options} */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        headless: { type: "boolean", default: false },
        browser: { type: "boolean", default: false },
        name: { type: "string", default: "guesthouse" },
        image: { type: "string", default: "debian-12" },
        yes: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return /** @type {Options} */ (values);
  } catch (error) {
    throw new Failure("An argument is wrong.", error.message, usage);
  }
}

/**
 * The golden image, made when it is not there yet.
 * @param {string} name
 */
async function ensureImage(name) {
  const images = /** @type {{name: string, state: {kind: string}}[]} */ (
    await ask(["image", "list"])
  );
  const image = images.find((one) => one.name === name);
  if (image?.state.kind === "ready") return say(`Image ${name} is ready.`);
  say(`Image ${name} is not here yet; getting it takes some minutes, once.`);
  await guesthouse(["image", "pull", name]);
}

/**
 * The machine, running and reachable by plain `ssh`; made when it is not there yet.
 * @param {Options} options
 * @returns {Promise<{alias: string, uri: string}>} its name for ssh, and the address its home folder has in the editor
 */
async function ensureMachine({ name, image }) {
  const machines = /** @type {{name: string, state: {kind: string}}[]} */ (
    await ask(["list"])
  );
  const state = machines.find((machine) => machine.name === name)?.state.kind;
  if (state === undefined) {
    await ensureImage(image);
    await step(`Making the machine ${name} from ${image}`, () =>
      guesthouse(["create", name, "--image", image]),
    );
  } else if (state === "running") {
    say(`The machine ${name} is running.`);
  } else {
    const verb = state === "paused" ? "resume" : "start";
    await step(`The machine ${name} is ${state}; ${verb}`, () =>
      guesthouse([verb, name]),
    );
  }
  return /** @type {{alias: string, uri: string}} */ (
    await ask(["open", name, "--print"])
  );
}

/** @param {string} alias */
async function reportHeadless(alias) {
  const kernel = await run(
    "ssh",
    ["-o", "BatchMode=yes", alias, "uname", "-a"],
    {
      what: "The machine runs, but a command in it failed.",
      remedy: `Try it by hand: ssh ${alias}`,
    },
  );
  say("The machine is ready. Connect with:");
  console.log(`\n  ssh ${alias}\n\nIts kernel says:\n\n  ${kernel.trim()}\n`);
}

/**
 * VS Code in the browser until the forwarded port is closed: by Ctrl-C, or when the machine goes.
 * @param {{alias: string, uri: string}} machine
 */
async function serveInBrowser({ alias, uri }) {
  const server = await startServerInGuest(alias);
  const { port, child } = await forward(alias, server.port);
  const url = new URL(`http://127.0.0.1:${port}/`);
  url.searchParams.set("tkn", server.token);
  url.searchParams.set("folder", new URL(uri).pathname);
  say("VS Code is open in the machine, at:");
  console.log(
    `\n  ${url.href}\n\nCtrl-C closes this door; the machine goes on running. Or connect with: ssh ${alias}\n`,
  );
  await openInBrowser(url.href);

  let closedByUser = false;
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
    process.once(signal, () => {
      closedByUser = true;
      child.kill();
    });
  }
  await new Promise((resolve) => {
    if (child.exitCode === null && child.signalCode === null)
      child.once("exit", resolve);
    else resolve(undefined);
  });
  if (!closedByUser) {
    throw new Failure(
      "The connection to the machine ended.",
      "it was stopped, or ssh lost it",
      "Run npm start again.",
    );
  }
}

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(usage);
    return;
  }
  checkNode();
  // All questions first: whoever started this may leave.
  const desktop =
    options.headless || options.browser
      ? undefined
      : await findDesktop({ assumeYes: options.yes });
  const inBrowser = !options.headless && desktop === undefined;
  const programs = process.platform === "linux" ? imageBuildPrograms : [];
  const forServer = inBrowser && !codeServerIsHere() ? nativeBuildPrograms : [];
  await ensurePrograms(
    [
      ...virtualMachinePrograms,
      ...programs,
      ...forServer.map((program) => ({ ...program, optional: true })),
    ],
    { purpose: "run virtual machines", assumeYes: options.yes },
  );
  await ensureDependencies();
  await ensureBuilt();
  const machine = await ensureMachine(options);
  if (options.headless) return reportHeadless(machine.alias);
  if (desktop !== undefined) {
    await openOnDesktop(machine.uri, desktop);
    return say("VS Code is opening the machine.");
  }
  await serveInBrowser(machine);
}

await runMain(main);
