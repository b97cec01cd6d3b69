import { StringDecoder } from "node:string_decoder";
import * as z from "zod";
import { refused } from "../../../protocol/failure.ts";
import { windowsCommand } from "../../guests/windowsScript.ts";
import {
  cmdLineLimit,
  encodedCommand,
  powerShellArguments,
  powerShellLiteral,
} from "../../images/windows/powershell.ts";
import type { SshSession } from "../../ssh/session.ts";
import { copyFolderToWindows } from "../copyToWindows.ts";
import { powerShellSteps, powerShellText } from "../devcontainer/commands.ts";
import { Masker } from "../editor/mask.ts";
import type { Environment } from "./environment.ts";
import { must } from "./guest.ts";
import type { GuestWay } from "./guestWay.ts";
import { windowsArguments, windowsScripts } from "./windowsScripts.ts";

/** One script in the guest, which must succeed; answers with what it printed. */
async function run(
  what: string,
  session: SshSession,
  script: keyof typeof windowsScripts,
  values: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<string> {
  const { command, stdin } = windowsCommand(windowsScripts[script], values);
  return (await must(what, session.exec(command, { stdin }, signal))).stdout;
}

const memorySchema = z.object({
  bootId: z.string(),
  marks: z.record(z.string(), z.string()),
});

/** Stands until the files are there: what lies in the folder until then is of a copy that was broken off. */
const begun = "begun";

/** A workspace in a guest with Windows, by PowerShell and SFTP. Unverified on Windows. */
export const windowsGuest: GuestWay = {
  isPosix: false,
  stepsOf: powerShellSteps,

  prepare: async (session, target, signal) => {
    const what = "making the workspace's folder";
    const printed = await run(what, session, "prepare", { target }, signal);
    const { bootId, marks } = memorySchema.parse(JSON.parse(printed));
    return { bootId, marks: new Map(Object.entries(marks)) };
  },

  remember: async (session, name, value, signal) => {
    const what = `noting that ${name} is done`;
    await run(what, session, "remember", { name, value }, signal);
  },

  copyIn: async (session, copy, marks, onProgress, signal) => {
    const overwrite = copy.overwrite || marks.get("files") === begun;
    await windowsGuest.remember(session, "files", begun, signal);
    return copyFolderToWindows(
      session,
      { ...copy, overwrite },
      onProgress,
      signal,
    );
  },

  writeEnvironment: async (session, file, remoteEnv, signal) => {
    const containerEnv = file.containerEnv ?? {};
    const printed = await run(
      "setting the environment",
      session,
      "logins",
      { variables: listed(containerEnv) },
      signal,
    );
    const guest = z.record(z.string(), z.string()).parse(JSON.parse(printed));
    const text = JSON.stringify([
      ...listed(containerEnv),
      ...listed(remoteEnv(inEitherCase(guest))),
    ]);
    await run(
      "writing the environment",
      session,
      "environment",
      { text },
      signal,
    );
    return file.userEnvProbe === undefined || file.userEnvProbe === "none"
      ? []
      : [
          "userEnvProbe: Windows' logins have the user's environment; no shell is asked for more.",
        ];
  },

  remoteCommand,

  runner:
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
    },
};

/** One line, since its input is the program's: so cmd's limit counts here. */
function remoteCommand(folder: string, argv: readonly string[]): string {
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
