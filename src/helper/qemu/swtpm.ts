import { basename } from "node:path";
import { makePrivateFolder } from "../../base/files.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";
import {
  type CompanionFiles,
  type CompanionKind,
  endCompanion,
  removeCompanion,
  findCompanions,
  startCompanion,
} from "./companion.ts";
import { findQemu, type ProcessIdentity } from "./process.ts";
import { processTable } from "../processes/table.ts";
import { findProgram } from "../processes/programs.ts";

/** Files of one machine's TPM. All paths are absolute. */
export interface SwtpmFiles extends CompanionFiles {
  /** What the TPM keeps when it is switched off; it belongs to the machine as its disk does. */
  readonly stateFolder: string;
  readonly logPath: string;
}

/** Where swtpm lies; undefined where the host has none, and machines have no TPM then. */
export const swtpmProgram = (): Promise<string | undefined> =>
  findProgram("swtpm");

const swtpmKind: CompanionKind = {
  names: namesSwtpm,
  explain: explainSwtpmFailure,
};

/**
 * Starts a machine's TPM 2.0 as a process of its own session, which outlives us as QEMU does (B14), and returns once it
 * waits for QEMU on its socket (`WindowsVmSpec.tpmSocket`). It ends when QEMU closes the connection, however that comes
 * about. For a QEMU that never came, call `removeSwtpm`.
 *
 * A machine that resumes a saved state needs a folder of its own, which may be empty: what the TPM holds comes with the
 * state, what it would lose without power, too.
 *
 * Throws `machines.startFailed` with swtpm's words; nothing stays behind then but the folder.
 */
export async function startSwtpm(
  binary: string,
  files: SwtpmFiles,
  signal?: AbortSignal,
): Promise<ProcessIdentity> {
  for (const path of [files.stateFolder, files.socketPath, files.pidFile])
    if (path.includes(",")) throw cantStart(`it takes no comma in ${path}`);
  await makePrivateFolder(files.stateFolder);
  // The one before holds the folder's lock until it has noticed that its QEMU is gone.
  await removeSwtpm(files);
  return startCompanion(
    swtpmKind,
    {
      ...files,
      command: { binary, args: swtpmArguments(files) },
      cwd: files.stateFolder,
    },
    signal,
  );
}

/** The arguments of swtpm 0.7 or newer; see swtpm(8). Pure. */
export const swtpmArguments = ({
  stateFolder,
  socketPath,
  pidFile,
}: Omit<SwtpmFiles, "logPath">): string[] => [
  ...["socket", "--tpm2", "--terminate"],
  ...["--tpmstate", `dir=${stateFolder},mode=0600`],
  ...["--ctrl", `${control}${socketPath},mode=0600`],
  ...["--pid", `file=${pidFile}`],
];

const control = "type=unixio,path=";

/** Is this the command line of an swtpm whose socket begins with `marker`? Pure. */
export function namesSwtpm(args: readonly string[], marker: string): boolean {
  return (
    /^swtpm(\.exe)?$/.test(basename(args[0] ?? "")) &&
    args.some((arg) => arg.startsWith(`${control}${marker}`))
  );
}

/** Says why swtpm ended before it waited for QEMU. `exit` says how: `exit code 1`. Pure. */
export function explainSwtpmFailure(
  output: string,
  exit: string,
): GuesthouseError {
  const told = output
    .split("\n")
    .map((line) => line.replace(/^swtpm: /, "").trim())
    .filter((line) => line !== "")
    .slice(-2)
    .join(" ");
  return cantStart(told === "" ? exit : told.replace(/\.$/, ""));
}

const cantStart = (why: string): GuesthouseError =>
  failed(
    "machines.startFailed",
    `The machine's TPM can't be started: ${why}.`,
    {
      remedy:
        "Check that swtpm runs on this host, then start the machine again.",
      actions: ["doctor", "retry"],
    },
  );

/** Ends every swtpm whose socket is this one and removes socket and pid file. What the TPM keeps stays. */
export const removeSwtpm = (files: CompanionFiles): Promise<void> =>
  removeCompanion(swtpmKind, files);

/** Every swtpm of this user whose socket begins with `marker`. */
export const findSwtpm = (marker: string): Promise<ProcessIdentity[]> =>
  findCompanions(swtpmKind, marker);

/**
 * Ends every swtpm of this user with a socket in the folder `run` that no QEMU was told of: a helper that was killed
 * between starting the two left one that waits for ever. Only while nobody starts machines.
 */
export async function endStraySwtpms(run: string): Promise<void> {
  for (const tpm of await findSwtpm(`${run}/`)) {
    const socket = socketIn(
      (await (await processTable()).commandLine(tpm.pid)) ?? [],
    );
    if (socket !== undefined && (await findQemu(socket)).length === 0)
      await endCompanion(tpm);
  }
}

/** The socket that an swtpm's command line names. Pure. */
const socketIn = (args: readonly string[]): string | undefined =>
  args
    .find((arg) => arg.startsWith(control))
    ?.slice(control.length)
    .split(",")[0];
