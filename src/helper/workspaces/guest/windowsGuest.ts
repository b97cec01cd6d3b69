/* What a workspace does in a guest with Windows, by PowerShell and SFTP. Unverified on Windows. */
import { StringDecoder } from "node:string_decoder";
import * as z from "zod";
import { refused } from "../../../protocol/failure.ts";
import { windowsCommand } from "../../guests/programs/powershellProgram.ts";
import {
  cmdLineLimit,
  encodedCommand,
  powerShellArguments,
  powerShellLiteral,
} from "../../guests/programs/powershell.ts";
import type { SshSession } from "../../ssh/session.ts";
import { copyFolderToWindows } from "../copying/copyToWindows.ts";
import { powerShellText } from "../devcontainer/lifecycleCommands.ts";
import { Masker } from "./mask.ts";
import type { Environment } from "./environment.ts";
import { must } from "./must.ts";
import { parseAnswer } from "./parseAnswer.ts";
import type { SystemOps } from "./systemOps.ts";
import { windowsArguments, windowsScripts } from "./windowsScripts.ts";

/** One script in the guest, which must succeed; answers with what it printed. `what` is for people. */
async function run(
  session: SshSession,
  what: string,
  script: {
    readonly name: keyof typeof windowsScripts;
    readonly values: Readonly<Record<string, unknown>>;
  },
  signal: AbortSignal,
): Promise<string> {
  const { command, stdin } = windowsCommand(
    windowsScripts[script.name],
    script.values,
  );
  return (await must(what, session.exec(command, { stdin }, signal))).stdout;
}

const memorySchema = z.object({
  bootId: z.string(),
  marks: z.record(z.string(), z.string()),
});

/** Stands until the files are there: what lies in the folder until then is of a copy that was broken off. */
const begun = "begun";

export const prepareWindows: SystemOps["prepare"] = async (
  session,
  target,
  signal,
) => {
  const what = "making the workspace's folder";
  const script = { name: "prepare", values: { target } } as const;
  const printed = await run(session, what, script, signal);
  const { bootId, marks } = parseAnswer(what, printed, memorySchema);
  return { bootId, marks: new Map(Object.entries(marks)) };
};

export const rememberInWindows: SystemOps["remember"] = async (
  session,
  name,
  value,
  signal,
) => {
  const what = `noting that ${name} is done`;
  const script = { name: "remember", values: { name, value } } as const;
  await run(session, what, script, signal);
};

export const copyIntoWindows: SystemOps["copyIn"] = async (
  session,
  { marks, ...copy },
  onProgress,
  signal,
) => {
  const overwrite = copy.overwrite || marks.get("files") === begun;
  await rememberInWindows(session, "files", begun, signal);
  return copyFolderToWindows(
    session,
    { ...copy, overwrite },
    onProgress,
    signal,
  );
};

const environmentSchema = z.record(z.string(), z.string());

export const writeWindowsEnvironment: SystemOps["writeEnvironment"] = async (
  session,
  file,
  remoteEnv,
  signal,
) => {
  const containerEnv = file.containerEnv ?? {};
  const what = "setting the environment";
  const printed = await run(
    session,
    what,
    { name: "logins", values: { variables: listed(containerEnv) } },
    signal,
  );
  const guest = parseAnswer(what, printed, environmentSchema);
  const text = JSON.stringify([
    ...listed(containerEnv),
    ...listed(remoteEnv(inEitherCase(guest))),
  ]);
  await run(
    session,
    "writing the environment",
    { name: "environment", values: { text } },
    signal,
  );
  return file.userEnvProbe === undefined || file.userEnvProbe === "none"
    ? []
    : [
        "userEnvProbe: Windows' logins have the user's environment; no shell is asked for more.",
      ];
};

export const windowsRunner: SystemOps["runner"] =
  (session, folder, secrets = {}, hidden = []) =>
  async (argv, onOutput, signal) => {
    const masker = new Masker([...Object.values(secrets), ...hidden]);
    const tell = (text: string): void => {
      if (text !== "") onOutput(text);
    };
    const { command, stdin } = windowsCommand(windowsScripts.step, {
      folder,
      secrets: listed(secrets),
      ...commandOf(argv),
    });
    const taker = () => {
      const decoder = new StringDecoder("utf8");
      return (chunk: Buffer) => tell(masker.take(decoder.write(chunk)));
    };
    const { code } = await session.exec(
      command,
      { stdin, onStdout: taker(), onStderr: taker() },
      signal,
    );
    tell(masker.end());
    return code;
  };

/** One line, since its input is the program's: so cmd's limit counts here. */
export function windowsCommandLine(
  folder: string,
  argv: readonly string[],
): string {
  const values = powerShellLiteral({ folder, ...commandOf(argv) });
  const script = `$Values = ${values}\n${windowsScripts.step}`;
  if (powerShellArguments(script).join(" ").length >= cmdLineLimit)
    throw refused(
      "request.invalid",
      "The command is too long for cmd.exe, the shell of Windows' SSH server.",
      { remedy: "Put it into a file in the workspace and run that." },
    );
  return encodedCommand(script);
}

/** What `step` is given: PowerShell, or a program with its arguments. */
function commandOf(argv: readonly string[]): Readonly<Record<string, string>> {
  const command = powerShellText(argv);
  if (command !== undefined) return { command };
  const [program = "", ...args] = argv;
  return { program, arguments: windowsArguments(args) };
}

const listed = (
  variables: Readonly<Record<string, string | null>>,
): { name: string; value: string | null }[] =>
  Object.entries(variables).map(([name, value]) => ({ name, value }));

/** Windows calls it `Path`, files written for Linux `PATH`. */
function inEitherCase(guest: Environment): Environment {
  const upper = Object.entries(guest).map(
    ([name, value]) => [name.toUpperCase(), value] as const,
  );
  return { ...Object.fromEntries(upper), ...guest };
}
