import { execa } from "execa";

/** Types keys once, when a file has something in it or a text is shown; prints how it ended, and how long after that, then what was shown. */
const program = `
import fcntl, os, pty, select, struct, sys, termios, time
file, text, keys, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
shown, typed, ends = b"", 0, time.time() + 60
while time.time() < ends:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    there = file and os.path.exists(file) and os.path.getsize(file)
    if not typed and (there or text and text.encode() in shown):
        time.sleep(0.5)
        os.write(terminal, keys.encode())
        typed = time.time()
ended = time.time()
_, status = os.waitpid(pid, 0 if ended < ends else os.WNOHANG)
print(os.waitstatus_to_exitcode(status), int((ended - typed) * 1000))
print(shown.decode(errors="replace"))
`;

export interface OnTerminal {
  readonly keys: string;
  /** When they are typed: once this file has something in it, or this text is shown. */
  readonly after: { readonly file: string } | { readonly text: string };
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a command on a terminal of 80 × 24, for a minute at most. */
export async function runOnTerminal(
  command: readonly string[],
  { keys, after, env }: OnTerminal,
): Promise<{
  /** Exit code; negative: the signal that ended it. */
  readonly code: number;
  /** From the keys to the end. */
  readonly tookMs: number;
  readonly shown: string;
}> {
  const when = "file" in after ? [after.file, ""] : ["", after.text];
  const { stdout } = await execa(
    "python3",
    ["-c", program, ...when, keys, ...command],
    { env },
  );
  const [, code, tookMs, shown = ""] =
    /^(-?\d+) (\d+)\n([^]*)/.exec(stdout) ?? [];
  return { code: Number(code), tookMs: Number(tookMs), shown };
}
