/*
 * Plays a guest with Windows at the far end of an agent or of SSH: `powershell.exe` of this guest is the interpreter beside,
 * which changes the guest's state as Windows would be changed. Tests look at the state and at what comes out, never at the
 * words of a script. `play` runs a call at once; `serve` is for programs of this host, which a relay stands in for.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readText, type WindowsGuest } from "./guest.ts";
import { startSession } from "./interpreter.ts";
import { Leaving } from "./scope.ts";
import type { Session } from "./session.ts";
import { readPowerShell } from "./syntax.ts";
import { NotPlayed } from "./tree.ts";
import { Failure, ScriptBlock, Table, textOf } from "./values.ts";

export interface Played {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `powershell.exe` with these arguments and this input. Throws `NotPlayed` for what isn't known of Windows. */
export function play(
  guest: WindowsGuest,
  args: readonly string[],
  stdin = "",
): Played {
  const out = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const variables = new Table();
  for (const [name, value] of [
    ...guest.machineVariables,
    ...guest.userVariables,
  ])
    variables.set(name, value);
  const session: Session = {
    ...{ guest, variables, location: "C:" },
    write: (stream, bytes) => out[stream].push(bytes),
    read: (text) => new ScriptBlock(readPowerShell(text)),
  };
  const run = startSession(session, (words, emit) => {
    const inside = play(guest, words);
    for (const line of `${inside.stdout}${inside.stderr}`.split(/\r?\n/))
      if (line !== "") emit(line);
    return inside.code;
  });
  const said = (value: unknown): void =>
    session.write("stdout", Buffer.from(`${textOf(value)}\r\n`));
  const { text, folder } = scriptOf(guest, args);
  const code = (): number => {
    try {
      const input = stdin.replace(/\r?\n$/, "").split(/\r?\n/);
      run(text, { input, PSScriptRoot: folder }, said);
      return 0;
    } catch (error) {
      if (error instanceof Leaving) return error.code;
      if (!(error instanceof Failure)) throw error;
      session.write("stderr", Buffer.from(`${error.message}\r\n`));
      return 1;
    }
  };
  return {
    code: code(),
    stdout: Buffer.concat(out.stdout).toString("utf8"),
    stderr: Buffer.concat(out.stderr).toString("utf8"),
  };
}

/** The text of a command line's script, and the folder of its file. */
function scriptOf(
  guest: WindowsGuest,
  args: readonly string[],
): { readonly text: string; readonly folder: string } {
  const words = args.filter(
    (word) => !/^-(NoProfile|NonInteractive)$/i.test(word),
  );
  if (/^-ExecutionPolicy$/i.test(words[0] ?? "")) words.splice(0, 2);
  const [kind = "", given = "", ...more] = words;
  if (more.length === 0 && /^-EncodedCommand$/i.test(kind))
    return {
      text: Buffer.from(given, "base64").toString("utf16le"),
      folder: "",
    };
  if (more.length === 0 && /^-File$/i.test(kind))
    return {
      text: readText(guest, given),
      folder: given.slice(0, given.lastIndexOf("\\") + 1),
    };
  throw new NotPlayed(`starts no PowerShell with ${kind}`);
}

/** A call of PowerShell as it came. */
export interface Call {
  readonly args: readonly string[];
  readonly stdin: string;
}

export interface ServedGuest {
  /** A folder of this host with `powershell.exe` in it, for a search path. */
  readonly bin: string;
  readonly calls: readonly Call[];
  /** What the stand-in could not play: a test that leaves something here has failed. */
  readonly unknown: readonly string[];
  readonly close: () => Promise<void>;
}

/** Puts a program in PowerShell's place that has each call played here. */
export async function serve(guest: WindowsGuest): Promise<ServedGuest> {
  const folder = await mkdtemp(join(tmpdir(), "powershell-"));
  const [bin, socket] = [join(folder, "bin"), join(folder, "socket")];
  const calls: Call[] = [];
  const unknown: string[] = [];
  const answer = (call: Call): Played => {
    calls.push(call);
    try {
      return play(guest, call.args, call.stdin);
    } catch (error) {
      const stderr = String(error);
      unknown.push(stderr);
      return { code: 70, stdout: "", stderr };
    }
  };
  const server = createServer({ allowHalfOpen: true }, (peer) => {
    const chunks: Buffer[] = [];
    peer.on("data", (chunk: Buffer) => chunks.push(chunk));
    peer.on("end", () => {
      const call = JSON.parse(Buffer.concat(chunks).toString()) as Call;
      peer.end(JSON.stringify(answer(call)));
    });
    peer.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  await mkdir(bin);
  const program = join(bin, "powershell.exe");
  const relay = join(import.meta.dirname, "relay.mjs");
  await writeFile(
    program,
    `#!/bin/sh\nexec '${process.execPath}' '${relay}' '${socket}' "$@"\n`,
  );
  await chmod(program, 0o755);
  return {
    ...{ bin, calls, unknown },
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
