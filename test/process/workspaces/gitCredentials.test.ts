/**
 * Git in a guest asks git of this computer for credentials: real git on both sides, a real SSH server between them whose home
 * folder is its own.
 */
import { execa } from "execa";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
  vi,
} from "vitest";
import { given } from "../../../src/base/given.ts";
import { silentLog } from "../../../src/base/log.ts";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import { toFailure } from "../../../src/protocol/failure.ts";
import { GitCredentials } from "../../../src/helper/workspaces/credentials/gitCredentials.ts";
import { credentialsFor } from "../../../src/helper/workspaces/credentials/hostCredentials.ts";
import { type RealSshd, startSshd } from "../ssh/realSshd.ts";
import { apart, reason, roomOver } from "./upOverSsh.ts";

describe.skipIf(reason !== undefined)(
  `git credentials of this computer, on request (F21)${reason === undefined ? "" : ` (${reason})`}`,
  () => {
    let sshd: RealSshd;
    let guest: SshSession;
    let root: string;
    let folder: string;
    let git: GitCredentials;
    let isRunning: boolean;
    let asked: number;
    /** Of the host; usually the repository itself. */
    let opened: string;

    beforeAll(async () => {
      sshd = await startSshd(apart);
      guest = await connectSsh(sshd.target);
    });
    afterAll(async () => {
      guest.close();
      await sshd.close();
    });
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), "credentials-"));
      vi.stubEnv("HOME", join(root, "home"));
      vi.stubEnv("XDG_CONFIG_HOME", undefined);
      folder = join(root, "folder");
      await mkdir(join(root, "home"));
      await execa("git", ["init", "-q", folder]);
      await here("remote", "add", "origin", "https://example.org/a.git");
      await here("config", "--global", "credential.helper", "store");
      await put("https://me:s3cr%C3%A9t%20%22x%22%20@example.org");
      await put("https://me:other@elsewhere.org");
      await guest.exec('rm -rf "$HOME/.cache" "$HOME/.gitconfig"');
      [isRunning, asked, opened] = [true, 0, folder];
      git = new GitCredentials({
        target: () => Promise.resolve(isRunning ? sshd.target : undefined),
        credentials: (_machine, question, signal) => {
          asked += 1;
          return credentialsFor(
            question,
            { folder: opened, neutral: join(root, "home") },
            signal,
          );
        },
        log: silentLog,
      });
    });
    afterEach(async () => {
      git.close();
      vi.unstubAllEnvs();
      await rm(root, { recursive: true, force: true });
    });

    const here = (...args: string[]) => execa("git", ["-C", folder, ...args]);
    const put = (line: string) =>
      writeFile(join(root, "home", ".git-credentials"), `${line}\n`, {
        flag: "a",
      });
    const fill = async (host: string): Promise<string> => {
      const { stdout } = await guest.exec(
        `printf 'protocol=https\\nhost=${host}\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1`,
      );
      return stdout;
    };

    test("come for the servers of the folder's repository, whatever is in them, and for no other", async () => {
      await git.ensure("m1");
      expect(await fill("example.org")).toContain(
        'username=me\npassword=s3crét "x" \n',
      );
      expect(await fill("elsewhere.org")).not.toContain("password=");
      expect(await fill("unknown.example.org")).not.toContain("password=");
      expect(asked).toBe(3);
      const { stdout } = await guest.exec(
        'ls -A "$HOME/.cache/guesthouse"; stat -c %a "$HOME/.cache/guesthouse"',
      );
      expect(stdout).toBe("ask\ngit-credential\n700\n");
    });

    test("several questions at once are all answered", async () => {
      await git.ensure("m1");
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => fill("example.org")),
      );
      for (const answer of answers) expect(answer).toContain("password=s3cr");
    });

    test("a guest can neither store nor erase any", async () => {
      await git.ensure("m1");
      const before = await readFile(join(root, "home", ".git-credentials"));
      for (const verb of ["reject", "approve"])
        await guest.exec(
          `printf 'protocol=https\\nhost=example.org\\nusername=me\\npassword=new\\n\\n' | git credential ${verb}`,
        );
      expect(await fill("example.org")).toContain("password=s3cr");
      expect(await readFile(join(root, "home", ".git-credentials"))).toEqual(
        before,
      );
    });

    test("no file of the repository chooses a program of this computer, or a server", async () => {
      const mark = join(root, "ran");
      await here("config", "credential.helper", `!touch '${mark}'; true`);
      await here("config", "core.askPass", `touch '${mark}'; true`);
      const elsewhere = "url = https://elsewhere.org/x\n";
      await writeFile(
        join(folder, ".gitmodules"),
        `[submodule "x"]\n\tpath = x\n\t${elsewhere}`,
      );
      await here("config", "submodule.x.url", "https://elsewhere.org/x");
      // Committed files that look like a bare repository, in the folder that is opened.
      const bare = join(folder, "sub");
      for (const name of ["objects", "refs"])
        await mkdir(join(bare, name), { recursive: true });
      await writeFile(join(bare, "HEAD"), "ref: refs/heads/main\n");
      await writeFile(
        join(bare, "config"),
        `[core]\n\trepositoryformatversion = 0\n\tbare = true\n[remote "x"]\n\t${elsewhere}`,
      );
      opened = bare;
      await git.ensure("m1");
      expect(await fill("example.org")).toContain("password=s3cr");
      expect(await fill("elsewhere.org")).not.toContain("password=");
      await expect(readFile(mark)).rejects.toThrow("ENOENT");
    });

    test("a helper of the user's that never ends holds up one question only", async () => {
      await here("config", "--global", "credential.helper", "!sleep 30;:");
      const asking = credentialsFor(
        { protocol: "https", host: "example.org" },
        { folder, neutral: join(root, "home") },
        AbortSignal.timeout(1_000),
      );
      await expect(asking).rejects.toThrow();
    });

    test("a guest that only asks costs neither memory nor programs", async () => {
      await git.ensure("m1");
      const before = process.memoryUsage().heapUsed;
      await guest.exec(
        'timeout 2 sh -c \'while :; do printf "a get protocol=https\\thost=example.org\\n"; done > "$HOME/.cache/guesthouse/ask"\'',
      );
      expect(asked).toBeLessThan(20);
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
    });

    test("a guest that was copied, or lost its connection, has them again, and what asked meanwhile ends", async () => {
      await git.ensure("m1");
      // As in a copy of a running guest: the pipe is there, and nobody listens.
      await guest.exec("pkill -KILL -f 'git-credential.ne[w]'");
      await vi.waitFor(
        async () => expect(await fill("example.org")).toContain("password="),
        { timeout: 20_000 },
      );
      const { stdout } = await guest.exec(
        'git config --global --get-all credential.helper; ls -A "$HOME/.cache/guesthouse"',
      );
      expect(stdout).toBe(
        '!sh "$HOME/.cache/guesthouse/git-credential"\nask\ngit-credential\n',
      );
    });

    test("when it ends, git in the guest asks nobody, at once", async () => {
      await git.ensure("m1");
      git.release("m1");
      expect(git.size).toBe(0);
      await vi.waitFor(async () => {
        const { stdout } = await guest.exec('ls -A "$HOME/.cache/guesthouse"');
        expect(stdout).toBe("git-credential\n");
      });
      expect(await fill("example.org")).not.toContain("password=");
      isRunning = false;
      await git.ensure("m1");
      expect(git.size).toBe(0);
    });

    test("the guest's own helper stays, and goes first", async () => {
      await guest.exec(
        `git config --global credential.helper '!echo username=mine; echo password=own;:'`,
      );
      await git.ensure("m1");
      expect(await fill("example.org")).toContain("password=own");
      expect(asked).toBe(0);
    });

    test("up follows its user's word, which stays until there is another one", async () => {
      await execa("mkdir", ["-p", join(folder, ".devcontainer")]);
      const write = (more: object) =>
        writeFile(
          join(folder, ".devcontainer", "devcontainer.json"),
          JSON.stringify({
            workspaceFolder: join(sshd.folder, "there"),
            userEnvProbe: "none",
            ...more,
          }),
        );
      await write({});
      const done: string[] = [];
      const room = await roomOver(
        { sshd, home: "home", noted: [], states: [], log: "" },
        {},
        undefined,
        {
          gitCredentials: {
            ensure: () => Promise.resolve(void done.push("ensure")),
            release: () => done.push("release"),
          },
        },
      );
      const up = async (gitCredentials?: boolean): Promise<string[]> => {
        done.length = 0;
        await room.handlers["workspaces.up"](
          { folder, ...given({ gitCredentials }) },
          { requestId: "test", signal: new AbortController().signal },
        );
        return [...done];
      };
      expect(await up()).toEqual([]);
      expect(await up(true)).toEqual(["ensure"]);
      expect(await up()).toEqual(["ensure"]);
      // Taken back before anything can fail.
      await write({ features: { "./nowhere": {} } });
      await expect(up(false)).rejects.toThrow();
      expect(done).toEqual(["release"]);
      await write({});
      expect(await up()).toEqual(["release"]);
      await room.close();
    });

    test("what a guest says of its failure is one plain line", async () => {
      await guest.exec(
        `mkdir -p "$HOME/.cache/guesthouse"; printf '[credential]\n' > "$HOME/.gitconfig"; mkdir "$HOME/.gitconfig.lock"`,
      );
      const failure = await git.ensure("m1").catch(toFailure);
      await guest.exec('rmdir "$HOME/.gitconfig.lock"');
      expect(failure).toMatchObject({ code: "workspaces.setupFailed" });
      // The next attempt is made at once, not after its pause.
      await git.ensure("m1");
      expect(await fill("example.org")).toContain("password=s3cr");
    });

    test("a home folder that can't be written to is told", async () => {
      await guest.exec('touch "$HOME/.cache"');
      await expect(git.ensure("m1")).rejects.toThrow(
        /can't ask this computer for credentials/,
      );
    });
  },
);
