import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Household, household } from "../../vm/household.ts";

let house: Household;
let folder: string;

beforeAll(async () => {
  house = await household();
  folder = await mkdtemp(join(tmpdir(), "gh-cli-signals-"));
  // A command of this computer, so that there is something to end before there is a machine.
  await writeFile(
    join(folder, ".devcontainer.json"),
    JSON.stringify({
      image: "debian-12",
      initializeCommand: ["sh", "-c", "echo $$ > pid; exec sleep 600"],
    }),
  );
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s ends a command, and what goes on for it in the helper",
  async (signal) => {
    const pidFile = join(folder, "pid");
    const command = spawn(
      process.execPath,
      [resolve("dist/helper.js"), "up", "--trust", "--", folder],
      {
        env: { ...process.env, GUESTHOUSE_HOME: house.home },
        stdio: "ignore",
      },
    );
    const ended = once(command, "exit");
    await soon(() => existsSync(pidFile));
    let pid = 0;
    await soon(async () => {
      pid = Number(await readFile(pidFile, "utf8"));
      return pid > 0;
    });
    command.kill(signal);
    expect(await ended).toEqual([130, null]);
    await soon(() => !existsSync(`/proc/${String(pid)}`));
    await rm(pidFile);
  },
);

/** Runs a command on a terminal of 80 × 24, types Ctrl-C once the file is there, and prints how it ended, then what was shown. */
const onTerminal = `
import fcntl, os, pty, select, struct, sys, termios, time
file, *command = sys.argv[1:]
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
    if not typed and os.path.exists(file) and os.path.getsize(file):
        time.sleep(0.5)
        os.write(terminal, b"\\x03")
        typed = time.time()
ended = time.time()
_, status = os.waitpid(pid, 0 if ended < ends else os.WNOHANG)
print(os.waitstatus_to_exitcode(status), int((ended - typed) * 1000))
print(shown.decode(errors="replace"))
`;

test.each(["xterm-256color", "dumb"])(
  "Ctrl-C on a terminal (%s) ends a command while its progress shows (F15), and leaves nothing running",
  async (TERM) => {
    const pidFile = join(folder, "pid");
    const helper = [process.execPath, resolve("dist/helper.js")];
    const { stdout } = await execa(
      "python3",
      [
        ...["-c", onTerminal, pidFile, ...helper],
        ...["up", "--trust", "--", folder],
      ],
      { env: { GUESTHOUSE_HOME: house.home, TERM } },
    );
    const [, code, tookMs] = /^(-?\d+) (\d+)\n/.exec(stdout) ?? [];
    expect(code, stdout.slice(-500)).toBe("130");
    expect(Number(tookMs)).toBeLessThan(10_000);
    expect(stdout).toContain("initializeCommand");
    const pid = await readFile(pidFile, "utf8");
    await soon(() => !existsSync(`/proc/${pid.trim()}`));
    await rm(pidFile);
  },
);

async function soon(come: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(come, { timeout: 30_000 }).toBe(true);
}
