/*
 * Commands in a POSIX guest whose login shell isn't ours to trust: its start-up files may print, read, sleep or end. Each command
 * is run by /bin/sh between two marks. What comes before the first and after the second one isn't the command's, it gets its
 * input only once it runs, and it has ended at the second mark, whoever still holds its output. `connectSsh` makes such a
 * session of every one to a POSIX guest.
 */
import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import { promiseWithResolvers, sleep } from "../../base/deadline.ts";
import { visible } from "../../base/visible.ts";
import { failed, type GuesthouseError } from "../../protocol/failure.ts";
import { beforeEnd, Frame } from "./frame.ts";
import type { SshCommand, SshSession } from "./command.ts";
import { takeExec } from "./takeExec.ts";

/** A dev container's landing takes it as: /bin/sh, not the user's shell (resources/guest/landing/session.c). */
const plainShell = { GUESTHOUSE_COMMAND: "1" };

/** A login shell that hasn't come to the command by now waits for something. An emulated guest under load takes its time. */
const startLimitMs = 120_000;
/** For the last words on the other stream, and for a command's end where something it left behind holds its output. */
const lastWordsMs = 2_000;

/** The mark in two halves, so that no list of processes shows it whole. */
export const framedLine = (
  [first, second]: readonly [string, string],
  command: string,
): string =>
  `/bin/sh -c 'unset GUESTHOUSE_COMMAND; printf "%s\\n" "$1$2b"; (eval "$(printf %b "$3")"); c=$?; printf "%b%s\\n" "${escaped(beforeEnd)}" "$1$2e$c"; exit "$c"' sh ${first} ${second} '${escaped(command)}'`;

/** For printf's %b, in single quotes of any shell: csh takes neither line feeds nor exclamation marks there. */
const escaped = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || "'!\\".includes(String.fromCharCode(byte))
        ? `\\0${byte.toString(8).padStart(3, "0")}`
        : String.fromCharCode(byte),
    )
    .join("");

/** The same session with framed commands. Theirs fail with `ssh.connectFailed` where the login shell doesn't come to them. */
export function framed(
  session: SshSession,
  { limitMs = startLimitMs } = {},
): SshSession {
  const start: SshSession["start"] = async (command, signal, options = {}) => {
    const halves = [half(), half()] as const;
    const base = await session.start(framedLine(halves, command), signal, {
      ...options,
      env: { ...options.env, ...plainShell },
    });
    return within(base, new Frame(halves.join("")), limitMs);
  };
  return {
    ...session,
    start,
    exec: async (command, options = {}, signal) =>
      takeExec(await start(command, signal, options), options),
  };
}

function within(base: SshCommand, frame: Frame, limitMs: number): SshCommand {
  const stdin = new PassThrough();
  base.stdin.on("error", (error: Error) => stdin.destroy(error));
  const late = promiseWithResolvers<never>();
  const timer = setTimeout(
    () => late.reject(neverCame(frame.noise(), limitMs)),
    limitMs,
  );
  frame.begun
    .then(() => {
      clearTimeout(timer);
      stdin.pipe(base.stdin);
    })
    .catch(() => undefined);
  base.stdout.pipe(frame);
  const detach = (): void => {
    base.stdout.unpipe(frame);
    base.stdout.resume();
    frame.end();
  };
  void frame.code.then(detach);
  const ended = endOf(base, frame, late.promise).finally(() => {
    clearTimeout(timer);
    detach();
  });
  ended.catch(() => base.stop());
  return {
    stdin,
    stdout: frame,
    ended,
    stop: () => {
      base.stop();
      frame.destroy();
    },
  };
}

const half = (): string => randomBytes(12).toString("hex");

/** How the command ended; what it printed has been read by then. */
async function endOf(
  base: SshCommand,
  frame: Frame,
  late: Promise<never>,
): Promise<Awaited<SshCommand["ended"]>> {
  const whole = base.ended.then((result) => ({ result }));
  const code = await Promise.race([
    frame.code,
    late,
    // It may have ended before what it printed was read.
    whole.then(() => frame.drained).then(() => frame.code),
  ]);
  if (code === undefined) {
    const { result } = await whole;
    if (frame.hasBegun) return result;
    throw neverBegan(result.code, frame.noise(), result.stderr);
  }
  const lastWords = async () =>
    Promise.race([
      whole.catch(() => undefined),
      sleep(lastWordsMs).then(() => undefined),
    ]);
  let last = await lastWords();
  if (last === undefined) {
    base.stop();
    last = await lastWords();
  }
  await frame.drained;
  return { code, stdout: "", stderr: last?.result.stderr ?? "" };
}

const remedy =
  "Look at the start-up files of the user's login shell in the guest (~/.bashrc, ~/.profile, ~/.zshenv and the like): they must let commands run when no one is at the keyboard.";

const heard = (noise: string): string =>
  noise.trim() === "" ? "" : ` It printed “${visible(noise.trim())}”.`;

const neverCame = (noise: string, limitMs: number): GuesthouseError =>
  failed(
    "ssh.connectFailed",
    `The login shell in the guest didn't start a command within ${String(Math.round(limitMs / 1000))} s: its start-up files wait for something.${heard(noise)}`,
    { remedy, actions: ["retry", "openConsole"] },
  );

const neverBegan = (
  code: number,
  noise: string,
  stderr: string,
): GuesthouseError =>
  failed(
    "ssh.connectFailed",
    `The login shell in the guest ended with exit code ${String(code)} before it started a command.${heard(`${noise}${stderr}`.slice(0, 300))}`,
    { remedy, actions: ["retry", "openConsole"] },
  );
