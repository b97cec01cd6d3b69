import { execa } from "execa";
import {
  chmod,
  mkdir,
  readFile,
  readdir,
  readlink,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { toFailure } from "../../../src/protocol/failure.ts";
import type { SshSession } from "../../../src/helper/ssh/session.ts";
import {
  copyPathIn,
  copyPathOut,
} from "../../../src/helper/workspaces/copying/copy.ts";
import { copyFolderIn } from "../../../src/helper/workspaces/copying/copyFolder.ts";
import { copyingHandlers } from "../../../src/helper/workspaces/copying/handlers.ts";
import { forget, overSsh } from "./workspaceOverSsh.ts";
import { missing, type RealSshd } from "../ssh/realSshd.ts";

const quiet = (): void => undefined;

describe.skipIf(missing)(
  `copies over OpenSSH's server (skipped where ${missing ?? "it is missing"})`,
  () => {
    const at = overSsh();
    let sshd: RealSshd;
    let session: SshSession;
    let here: string;
    let there: string;
    beforeEach(async () => {
      ({ sshd, session, here, there } = at);
      await mkdir(here);
    });

    test("a repository arrives as a working repository, without what is ignored", async () => {
      const git = (...args: string[]) =>
        execa("git", [
          "-C",
          here,
          "-c",
          "user.name=t",
          "-c",
          "user.email=t@t",
          ...args,
        ]);
      await git("init", "-q");
      await mkdir(join(here, "node_modules"));
      await writeFile(join(here, ".gitignore"), "node_modules/\n");
      await writeFile(join(here, "node_modules", "x"), "x");
      await writeFile(join(here, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
      await symlink("run.sh", join(here, "link"));
      await git("add", "-A");
      await git("commit", "-qm", "one");
      await writeFile(join(here, "new ü"), "new");
      const copied = await copyFolderIn(
        session,
        { folder: here, target: there },
        quiet,
      );
      expect(copied.guestFolder).toBe(there);
      expect((await stat(join(there, "run.sh"))).mode & 0o777).toBe(0o755);
      expect(await readlink(join(there, "link"))).toBe("run.sh");
      expect(await readdir(there)).not.toContain("node_modules");
      const { stdout } = await execa("git", ["-C", there, "status", "--short"]);
      expect(stdout).toContain("?? ");
      expect(
        (await execa("git", ["-C", there, "log", "--oneline"])).stdout,
      ).toMatch(/one$/);
    });

    test("a thousand files arrive, and progress is told now and then, not a thousand times", async () => {
      await Promise.all(
        Array.from({ length: 1000 }, (_, i) =>
          writeFile(join(here, `f${String(i)}`), String(i).repeat(50)),
        ),
      );
      const told: number[] = [];
      const copied = await copyFolderIn(
        session,
        { folder: here, target: there },
        ({ files }) => told.push(files),
      );
      expect(copied.files).toBe(1000);
      expect(await readdir(there)).toHaveLength(1000);
      expect(told.length).toBeGreaterThan(0);
      expect(told.length).toBeLessThan(100);
    });

    test.each([
      ["1965-03-01", 0],
      ["1901-12-14", 0],
      ["1970-01-01", 0],
      ["2255-06-01", 300 * 1024],
    ])("a file of %s keeps its time (F18)", async (day, bytes) => {
      const time = new Date(`${day}T00:00:00Z`);
      await writeFile(join(here, "old"), "x".repeat(bytes));
      await writeFile(join(here, "z"), "after it\n");
      await utimes(join(here, "old"), time, time);
      await copyFolderIn(session, { folder: here, target: there }, quiet);
      const { mtime, size } = await stat(join(there, "old"));
      expect(mtime).toEqual((await stat(join(here, "old"))).mtime);
      expect(size).toBe(bytes);
      expect(await readFile(join(there, "z"), "utf8")).toBe("after it\n");
    });

    test.skipIf(process.getuid?.() !== 0)(
      "files that the user may not read are named before anything is sent (F18; as root, who becomes another for it)",
      async () => {
        for (const name of ["open", "secret", "ü \n"])
          await writeFile(join(here, name), "x", { mode: 0o600 });
        await chmod(join(here, "open"), 0o644);
        await symlink("secret", join(here, "link"));
        await chmod(sshd.folder, 0o755);
        process.seteuid?.(65534);
        const failure = await copyFolderIn(
          session,
          { folder: here, target: there },
          quiet,
        )
          .catch(toFailure)
          .finally(() => process.seteuid?.(0));
        expect(failure).toMatchObject({
          code: "request.invalid",
          message: expect.stringMatching(
            /2 files .*: .*secret.*Nothing was copied/s,
          ),
        });
        expect((failure as { message: string }).message).not.toContain("open,");
        expect(await readdir(there).catch(() => [])).toEqual([]);
      },
    );

    test("a file goes in and out, named as with cp", async () => {
      await writeFile(join(here, "a"), "A");
      await chmod(join(here, "a"), 0o640);
      await mkdir(there);
      await copyPathIn(
        session,
        { source: join(here, "a"), target: join(there, "b") },
        quiet,
      );
      await copyPathIn(
        session,
        { source: join(here, "a"), target: there },
        quiet,
      );
      expect((await readdir(there)).sort()).toEqual(["a", "b"]);
      await copyPathOut(
        session,
        { source: join(there, "b"), target: join(here, "c") },
        quiet,
      );
      await copyPathOut(
        session,
        { source: join(there, "b"), target: here },
        quiet,
      );
      expect((await readdir(here)).sort()).toEqual(["a", "b", "c"]);
      expect(await readFile(join(here, "c"), "utf8")).toBe("A");
      expect((await stat(join(here, "c"))).mode & 0o777).toBe(0o640);
    });

    test("a folder goes in and out whole, ignored files too", async () => {
      await mkdir(join(here, "d", "e"), { recursive: true });
      await writeFile(join(here, "d", ".gitignore"), "*\n");
      await writeFile(join(here, "d", "e", "f"), "F");
      await copyPathIn(
        session,
        { source: join(here, "d"), target: there },
        quiet,
      );
      expect(await readFile(join(there, "e", "f"), "utf8")).toBe("F");
      const copied = await copyPathOut(
        session,
        { source: `${there}/`, target: join(here, "back") },
        quiet,
      );
      expect(copied).toEqual({ files: 2, bytes: 3 });
      expect(await readFile(join(here, "back", "e", "f"), "utf8")).toBe("F");
    });

    test("a relative target is in the user's home", async () => {
      await writeFile(join(here, "a"), "A");
      const name = `guesthouse-test-${String(process.pid)}`;
      const { guestFolder } = await copyFolderIn(
        session,
        { folder: here, target: `~/${name}` },
        quiet,
      );
      try {
        expect(guestFolder).toBe(join(homedir(), name));
        expect(await readdir(guestFolder)).toEqual(["a"]);
      } finally {
        await execa("rm", ["-r", guestFolder]);
        await forget(guestFolder);
      }
    });

    test("what tar over there says is the message", async () => {
      await expect(
        copyPathOut(
          session,
          { source: join(there, "none"), target: here },
          quiet,
        ),
      ).rejects.toMatchObject({
        failure: {
          code: "ssh.transferFailed",
          message: expect.stringContaining("No such file"),
        },
      });
      await writeFile(join(here, "a"), "A");
      await expect(
        copyPathIn(
          session,
          { source: join(here, "a"), target: "/proc/nowhere/a" },
          quiet,
        ),
      ).rejects.toMatchObject({ failure: { code: "ssh.transferFailed" } });
      await expect(
        copyPathIn(
          session,
          { source: join(here, "none"), target: there },
          quiet,
        ),
      ).rejects.toMatchObject({ failure: { code: "request.invalid" } });
    });

    test("a failure on this side ends the copy over there", async () => {
      await mkdir(there);
      await writeFile(join(there, "big"), Buffer.alloc(20_000_000));
      await mkdir(join(here, "big"));
      await expect(
        copyPathOut(
          session,
          { source: join(there, "big"), target: here },
          quiet,
        ),
      ).rejects.toThrow();
      expect((await session.exec("exit 0")).code).toBe(0);
    });

    test("cancelling ends a copy at once, the connection stays good", async () => {
      await writeFile(join(here, "big"), Buffer.alloc(200_000_000));
      const startedAt = performance.now();
      await expect(
        copyFolderIn(
          session,
          { folder: here, target: there },
          quiet,
          AbortSignal.timeout(150),
        ),
      ).rejects.toMatchObject({ name: "TimeoutError" });
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      expect((await session.exec("exit 0")).code).toBe(0);
    });

    test("the handlers copy, tell progress with a last word, and remember the folder", async () => {
      await writeFile(join(here, "a"), "AAA");
      const told: unknown[] = [];
      const folders: unknown[] = [];
      const handlers = copyingHandlers({
        find: () => ({
          id: "0123",
          name: "box",
          alias: "gh-box",
          user: "dev",
          os: "linux",
        }),
        target: () => Promise.resolve(sshd.target),
        onCopied: (progress) => told.push(progress),
        onFolder: (id, folder) => void folders.push({ id, ...folder }),
      });
      const context = { requestId: "1", signal: new AbortController().signal };
      expect(
        await handlers["copying.folder"](
          { machine: "box", folder: here, target: there },
          context,
        ),
      ).toEqual({ guestFolder: there, way: "stream", files: 1, bytes: 3 });
      expect(told.at(-1)).toEqual({
        machine: "0123",
        files: 1,
        bytes: 3,
        done: true,
      });
      expect(folders).toEqual([{ id: "0123", local: here, guest: there }]);
      expect(
        await handlers["copying.path"](
          {
            machine: "box",
            direction: "out",
            source: `${there}/a`,
            target: join(here, "b"),
          },
          context,
        ),
      ).toEqual({ files: 1, bytes: 3 });
    });
  },
);
