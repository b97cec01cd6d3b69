import { StringDecoder } from "node:string_decoder";
import type { SshSession } from "../../ssh/session.ts";

/** How long a command may take to end itself, when nobody wants it any more. */
const graceSeconds = 5;

/**
 * Lines of a POSIX script that run `start`, which ends by `exec $held <program>`, and leave its exit code in `code`. Whoever
 * asks for it holds the input open: when they change their mind, or are gone, the program ends with all that it started, so
 * that the next one doesn't run beside it. What made itself a session of its own, as a daemon does, goes on. The watcher
 * outlives the signal that sshd sends to all but the program.
 */
export const holding = (start: string): string =>
  // Looked for now: the program's environment may have a PATH without it.
  `held=$(command -v setsid) || held=
exec 3<&0 2>&1
(
${start}
) < /dev/null 3<&- &
child=$!
{ trap '' TERM HUP; cat <&3; kill -s TERM -- "-$child"; sleep ${String(graceSeconds)}; kill -s KILL -- "-$child"; } > /dev/null 2>&1 &
watcher=$!
wait "$child"
code=$?
kill -s KILL "$watcher"`;

/**
 * Runs a command line that is `holding`, for as long as `signal` allows. `input` is what it reads before; what it prints,
 * of both its streams, is passed on as it comes. Answers with its exit code.
 */
export async function runHeld(
  session: SshSession,
  { line, input = "" }: { readonly line: string; readonly input?: string },
  onOutput: (text: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const decoder = new StringDecoder("utf8");
  const command = await session.start(line, signal);
  command.stdin.on("error", () => undefined);
  if (input !== "") command.stdin.write(input);
  command.stdout.on("data", (chunk: Buffer) => onOutput(decoder.write(chunk)));
  const { code } = await command.ended;
  return code;
}
