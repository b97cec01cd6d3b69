/** `delete` on a terminal, and without one: the real command line against the contract (F10). */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Machine } from "../../../src/protocol/machines.ts";
import { type FakeHelper, startFakeHelper } from "../../fakes/helper.ts";
import { checkpoint, machine } from "../../unit/extension/samples.ts";
import { bundle } from "../../vm/household.ts";

let home: string;
let helper: FakeHelper;
let deleted: string[];

const machines: Readonly<Record<string, Machine>> = {
  web: machine({
    ...{ id: "id-web", name: "web", alias: "gh-web" },
    state: { kind: "running", sinceMs: 0 },
    checkpoints: [checkpoint()],
  }),
  off: machine({
    ...{ id: "id-off", name: "off", alias: "gh-off" },
    state: { kind: "stopped", reason: "requested" },
    checkpoints: [],
  }),
};

beforeAll(async () => {
  const manifest = resolve(import.meta.dirname, "../../../package.json");
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as {
    version: string;
  };
  home = await mkdtemp(join(tmpdir(), "gh-"));
  helper = await startFakeHelper(home, version);
});
afterAll(async () => {
  await helper.close();
  await rm(home, { recursive: true, force: true });
});
beforeEach(() => {
  deleted = [];
  helper.answer("machines.show", ({ machine: name }) =>
    Promise.resolve({ machine: machines[name] ?? machine() }),
  );
  helper.answer("machines.delete", ({ machine: name }) => {
    deleted.push(name);
    return Promise.resolve({ id: `id-${name}` });
  });
});

/** Types keys once a question stands on a terminal of 80 columns; prints the exit code, then all that was shown. */
const onTerminal = `
import fcntl, os, pty, select, struct, sys, termios, time
keys, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
shown, typed, ends = b"", False, time.time() + 30
while time.time() < ends:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    if not typed and b"[y/N]" in shown:
        time.sleep(0.3)
        os.write(terminal, keys.encode().decode("unicode_escape").encode())
        typed = True
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
print(shown.decode(errors="replace"))
`;

async function typing(
  keys: string,
  ...args: string[]
): Promise<{ code: number; shown: string }> {
  const { stdout } = await execa(
    "python3",
    ["-c", onTerminal, keys, process.execPath, bundle, "delete", ...args],
    { env: { GUESTHOUSE_HOME: home, TERM: "dumb" } },
  );
  const [, code, shown = ""] = /^(-?\d+)\n([^]*)/.exec(stdout) ?? [];
  return { code: Number(code), shown };
}

test.each([
  ["y and Enter", "y\\n", ["web"], 0],
  ["YES", "YES\\n", ["web"], 0],
  ["Enter", "\\n", [], 0],
  ["no", "no\\n", [], 0],
  ["another word", "yesterday\\n", [], 0],
  ["Ctrl-D", "\\x04", [], 0],
  ["Ctrl-C", "\\x03", [], 130],
])(
  "a running machine with a checkpoint is asked about on a terminal: %s (F10)",
  async (_what, keys, expected, expectedCode) => {
    const { code, shown } = await typing(keys, "web");
    expect(shown).toContain(
      "Delete web (running, 1 checkpoint) with all that is in it? [y/N]",
    );
    expect(deleted).toEqual(expected);
    expect(code, shown).toBe(expectedCode);
    if (expected.length === 0 && code === 0)
      expect(shown).toContain("Nothing was deleted.");
  },
);

test.each([
  ["--yes", ["--yes", "web"], ["web"]],
  ["-y before several", ["-y", "web", "off"], ["web", "off"]],
  ["--discard", ["--discard", "web"], ["web"]],
  ["a machine that is off", ["off"], ["off"]],
])("nothing is asked with %s", async (_what, args, expected) => {
  const { code, shown } = await typing("", ...args);
  expect(shown).not.toContain("[y/N]");
  expect(deleted).toEqual(expected);
  expect(code).toBe(0);
});

test("without a terminal nobody is asked, and what the helper refuses stays", async () => {
  const { exitCode } = await execa(process.execPath, [bundle, "rm", "web"], {
    reject: false,
    stdin: "ignore",
    env: { GUESTHOUSE_HOME: home },
  });
  expect(exitCode).toBe(0);
  expect(deleted).toEqual(["web"]);
});
