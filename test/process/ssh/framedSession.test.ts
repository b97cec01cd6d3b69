import { once } from "node:events";
import { execa } from "execa";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { framed } from "../../../src/helper/ssh/framedSession.ts";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import { toFailure } from "../../../src/protocol/failure.ts";
import { reason } from "../workspaces/upOverSsh.ts";
import { type RealSshd, startSshd } from "./realSshd.ts";

/** The server's accounts, with another login shell. */
const withShell = (shell: string): string[] => [
  ...["unshare", "--mount", "sh", "-c"],
  `set -e; mount -t tmpfs guest /var/lib; sed "s#^\\(root:.*:\\).*#\\1${shell}#" /etc/passwd > /var/lib/passwd; mount --bind /var/lib/passwd /etc/passwd; exec "$@"`,
  "sh",
];

/** What a login shell may do before, around and instead of a command. */
const shells: Readonly<Record<string, string>> = {
  plain: 'exec /bin/bash --norc -c "$2"',
  noisy:
    'echo "Welcome $(date +%N)"; printf "no line end"; echo oh >&2; /bin/bash --norc -c "$2"; code=$?; echo bye; exit $code',
  "set -e": 'exec /bin/bash --norc -ec "$2"',
  another: 'exec /usr/bin/dash -c "$2"',
  "like csh":
    // It has neither of them in a word.
    'case $2 in *"!"*|*"\n"*) echo "Unmatched quote." >&2; exit 1;; esac; exec /bin/bash --norc -c "$2"',
};

describe.skipIf(reason !== undefined)(
  `commands behind any login shell (${reason ?? "OpenSSH's server"})`,
  () => {
    let folder: string;
    let sshd: RealSshd;
    let session: SshSession;
    const use = async (text: string, limitMs?: number): Promise<SshSession> => {
      await writeFile(join(folder, "rc"), text);
      session = await connectSsh({ ...sshd.target, isPosix: false });
      return framed(session, limitMs === undefined ? {} : { limitMs });
    };
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "gh-shell-"));
      const shell = join(folder, "shell");
      await writeFile(shell, `#!/bin/bash\n. "${folder}/rc"\n`);
      await chmod(shell, 0o755);
      sshd = await startSshd(withShell(shell));
    });
    afterEach(() => session.close());
    afterAll(async () => {
      await sshd.close();
      await rm(folder, { recursive: true });
    });
    const failureOf = (attempt: Promise<unknown>) =>
      attempt.then(() => expect.unreachable(), toFailure);

    test.each(Object.entries(shells))(
      "%s: input, both outputs, exit code, any byte",
      async (_, text) => {
        const guest = await use(text);
        const stdin = `first\nsecond\n`;
        const words = `it's "here"!\n\\0101 ä %s`;
        const running = guest.exec(
          `cat; printf %s '${words.replaceAll("'", `'\\''`)}'; echo err >&2; exit 7`,
          { stdin },
        );
        const { code, stdout, stderr } = await running;
        expect(stdout).toBe(`${stdin}${words}`);
        expect(code).toBe(7);
        expect(stderr).toContain("err\n");
      },
    );

    test("8 MB and more arrive as they were sent", async () => {
      const guest = await use(shells["noisy"]!);
      const command = await guest.start("cat");
      const many = Buffer.alloc(8 << 20, "0123456789abcdef\n");
      command.stdin.end(many);
      const chunks: Buffer[] = [];
      for await (const chunk of command.stdout) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(many)).toBe(true);
      expect((await command.ended).code).toBe(0);
    });

    test("a word that waits for an answer isn't kept", async () => {
      const guest = await use(shells["plain"]!);
      const command = await guest.start(
        "while read -r word; do printf %s $word; done",
      );
      for (const word of ["hello", "a", "0"]) {
        command.stdin.write(`${word}\n`);
        const [heard] = (await once(command.stdout, "data")) as [Buffer];
        expect(heard.toString()).toBe(word);
      }
      command.stdin.end();
      expect((await command.ended).code).toBe(0);
    });

    test("a command has ended, whoever still holds its output", async () => {
      const guest = await use(shells["plain"]!);
      const startedAt = performance.now();
      const { code, stdout } = await guest.exec("sleep 300 & echo $!");
      expect(performance.now() - startedAt).toBeLessThan(10_000);
      expect(code).toBe(0);
      await execa("kill", [stdout.trim()]);
    });

    test("a list of processes doesn't end it", async () => {
      const guest = await use(shells["plain"]!);
      const { stdout } = await guest.exec("ps -eo args; echo last");
      expect(stdout).toMatch(/last\n$/);
    });

    test("a login shell that ends or waits is named, with what it said", async () => {
      const ending = await use('echo "no way in"; exit 3');
      expect(await failureOf(ending.exec("true"))).toMatchObject({
        code: "ssh.connectFailed",
        message:
          "The login shell in the guest ended with exit code 3 before it started a command. It printed “no way in”.",
      });
      session.close();
      const waiting = await use("printf 'your name? '; read -r name", 300);
      expect(await failureOf(waiting.exec("true"))).toMatchObject({
        message: expect.stringMatching(
          /its start-up files wait for something\. It printed “your name\?”/,
        ) as string,
      });
    });

    test("a cancelled command ends", async () => {
      const guest = await use(shells["plain"]!);
      const controller = new AbortController();
      const mark = join(folder, "pid");
      const running = guest.exec(
        `echo $$ > '${mark}'; exec sleep 300`,
        {},
        controller.signal,
      );
      setTimeout(() => controller.abort(new Error("enough")), 500);
      await expect(running).rejects.toThrow("enough");
    });
  },
);
