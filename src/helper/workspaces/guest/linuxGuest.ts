import { randomUUID } from "node:crypto";
import type { SshSession } from "../../ssh/session.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import {
  fillContainerEnv,
  namesContainerEnv,
} from "../devcontainer/variables.ts";
import { Masker } from "./mask.ts";
import {
  type Environment,
  environmentFile,
  loginEnvironment,
  ownEnvironment,
  parseEnvironment,
  parseProbe,
} from "./environment.ts";
import {
  loginBlock,
  loginsScript,
  markScript,
  prepareScript,
  probeScript,
  stepScript,
  writeEnvironmentScript,
} from "./guestScripts.ts";
import { runHeld } from "./held.ts";
import { must } from "./must.ts";
import { unknownAnswer } from "./parseAnswer.ts";
import type { RunStep } from "./steps.ts";

/** What a guest remembers of earlier work. */
export interface GuestMemory {
  /** Of the boot that it is in. */
  readonly bootId: string;
  /** Name of what was done → when it holds: `once`, or a boot's id. */
  readonly marks: ReadonlyMap<string, string>;
}

/** Makes the folder for the files and asks the guest what was done in it. */
export async function prepareGuest(
  session: SshSession,
  target: string,
  signal: AbortSignal,
): Promise<GuestMemory> {
  const what = "making the workspace's folder";
  const { stdout } = await must(
    what,
    session.exec(prepareScript(target), {}, signal),
  );
  const memory = parseMemory(stdout);
  if (memory === undefined) throw unknownAnswer(what, stdout);
  return memory;
}

/**
 * What `prepareScript` prints: the boot's id, then `name=value` lines; undefined for anything else. What the user's shell
 * printed before is left out. Pure.
 */
export function parseMemory(printed: string): GuestMemory | undefined {
  const lines = printed.trimEnd().split("\n");
  const first = lines.findIndex((line) => bootIdPattern.test(line));
  const bootId = lines[first];
  if (bootId === undefined) return undefined;
  const marks = new Map<string, string>();
  for (const line of lines.slice(first + 1)) {
    const [, name, value] = /^([\w.-]+)=([\w.-]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    marks.set(name, value);
  }
  return { bootId, marks };
}

/** As Linux makes it up at each boot, a UUID. */
const bootIdPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export async function remember(
  session: SshSession,
  name: string,
  value: string,
  signal: AbortSignal,
): Promise<void> {
  await must(
    `noting that ${name} is done`,
    session.exec(markScript(name, value), {}, signal),
  );
}

/** What a file says of the environment, upon what its features say. */
export interface EnvironmentOfFile extends Pick<
  Devcontainer,
  "containerEnv" | "userEnvProbe"
> {
  readonly featuresEnv?: Environment;
}

/** References to the guest's variables are filled in as in a Dockerfile's ENV: /etc/environment knows none (F5). */
async function containerEnvOf(
  session: SshSession,
  { featuresEnv = {}, containerEnv = {} }: EnvironmentOfFile,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  if (!namesContainerEnv(containerEnv))
    return { ...featuresEnv, ...containerEnv };
  const mark = randomUUID();
  const { stdout } = await must(
    "reading the guest's environment",
    session.exec(loginsScript(mark), {}, signal),
  );
  const [variables = "", logins = ""] = stdout.split(mark);
  const own = ownEnvironment(parseEnvironment(variables), logins, loginBlock);
  const known = { ...own, ...featuresEnv };
  return { ...featuresEnv, ...fillContainerEnv(containerEnv, known) };
}

/**
 * Gives the guest the environment of a file: `/etc/environment` for every login, and the file that commands read first,
 * with what the user's shell adds. `remoteEnv` is asked for last, as it may refer to what is in the guest. Answers with
 * sentences on what could not be done as wished.
 */
export async function writeEnvironment(
  session: SshSession,
  file: EnvironmentOfFile,
  remoteEnv: (guest: Environment) => Readonly<Record<string, string | null>>,
  signal: AbortSignal,
): Promise<string[]> {
  const notes: string[] = [];
  const containerEnv = await containerEnvOf(session, file, signal);
  const { lines, leftOut } = loginEnvironment(containerEnv);
  if (leftOut.length > 0)
    notes.push(
      `containerEnv: ${leftOut.join(", ")} can't stand in /etc/environment; only commands of Guesthouse see it.`,
    );
  const probe = file.userEnvProbe ?? "loginInteractiveShell";
  const mark = randomUUID();
  const { stdout } = await must(
    "setting the environment",
    session.exec(
      probeScript(lines, probe, mark),
      { stdin: environmentFile({}, containerEnv, {}) },
      signal,
    ),
  );
  const { base, probed } = parseProbe(stdout, mark);
  if (probed === undefined && probe !== "none")
    notes.push(
      `userEnvProbe: the user's shell gave no answer; commands run without what its start-up files set.`,
    );
  await must(
    "writing the environment",
    session.exec(
      writeEnvironmentScript(),
      { stdin: environmentFile(probed ?? {}, containerEnv, remoteEnv(base)) },
      signal,
    ),
  );
  return notes;
}

/**
 * Runs a step in the guest, in the workspace's folder and environment, to which the secrets are added, for as long as the
 * signal allows. What it prints is passed on without them, and without what else is to be `hidden`.
 */
export function guestRunner(
  session: SshSession,
  folder: string,
  secrets: Environment = {},
  hidden: readonly string[] = [],
): RunStep {
  const exports = environmentFile({}, {}, secrets);
  return async (argv, onOutput, signal) => {
    const masker = new Masker([...Object.values(secrets), ...hidden]);
    const tell = (text: string): void => {
      if (text !== "") onOutput(text);
    };
    const code = await runHeld(
      session,
      {
        line: stepScript(folder, argv, Buffer.byteLength(exports)),
        input: exports,
      },
      (text) => tell(masker.take(text)),
      signal,
    );
    tell(masker.end());
    return code;
  };
}
