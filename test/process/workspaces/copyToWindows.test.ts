import { existsSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import { guestCopy } from "../../../src/helper/workspaces/copying/guestCopy.ts";
import { windowsPath } from "../../../src/helper/workspaces/copying/copyToWindows.ts";
import { missing, type RealSshd, startSshd } from "../ssh/realSshd.ts";

const sftpServer = "/usr/lib/openssh/sftp-server";
const lacking =
  missing ??
  (existsSync(sftpServer) ? undefined : `${sftpServer} is not installed`);
const quiet = (): void => undefined;
const windows = guestCopy.windows;

describe.skipIf(lacking)(
  `copies into Windows' paths by OpenSSH's own SFTP server (skipped where ${lacking ?? "it is missing"})`,
  () => {
    let sshd: RealSshd;
    let session: SshSession;
    /** The far end's drives lie in here. */
    let drives: string;
    let here: string;

    beforeAll(async () => {
      const mapper = join(import.meta.dirname, "../ssh/windowsPaths.mjs");
      drives = await mkdtemp(join(tmpdir(), "drives-"));
      await mkdir(join(drives, "C:/Users/dev"), { recursive: true });
      sshd = await startSshd([], {
        sftp: `${process.execPath} ${mapper} ${sftpServer} ${drives} /C:/Users/dev nolinks`,
      });
      session = await connectSsh(sshd.target);
      here = join(sshd.folder, "project");
      await mkdir(join(here, "deep/er"), { recursive: true });
      await writeFile(join(here, "crlf.txt"), "one\r\ntwo\nthree\r\n");
      await writeFile(join(here, "empty"), "");
      await writeFile(join(here, "deep/er/ü €.bin"), Buffer.alloc(200_000, 7));
      await writeFile(join(here, "fixed"), "read only");
      await chmod(join(here, "fixed"), 0o444);
      await utimes(join(here, "crlf.txt"), 1_600_000_000, 1_500_000_000);
      await symlink("crlf.txt", join(here, "link"));
      await mkdir(join(here, "no files"));
    });
    afterAll(async () => {
      session.close();
      await sshd.close();
      await rm(drives, { recursive: true, force: true });
    });

    test("a folder arrives byte for byte, with line ends, times and modes as they were; a link that Windows refuses is named", async () => {
      const copied = await windows.folderIn(
        session,
        { folder: here, target: String.raw`C:\Users\dev\src\project` },
        quiet,
      );
      expect(copied).toMatchObject({
        guestFolder: String.raw`C:\Users\dev\src\project`,
        files: 4,
        bytes: 16 + 200_000 + 9,
        way: "stream",
        notes: [expect.stringContaining("link")],
      });
      const there = join(drives, "C:/Users/dev/src/project");
      for (const name of ["crlf.txt", "empty", "deep/er/ü €.bin", "fixed"])
        expect([name, await readFile(join(there, name))]).toEqual([
          name,
          await readFile(join(here, name)),
        ]);
      expect((await stat(join(there, "crlf.txt"))).mtimeMs).toBe(
        1_500_000_000_000,
      );
      expect((await stat(join(there, "fixed"))).mode & 0o777).toBe(0o444);
      expect((await readdir(there)).sort()).toEqual([
        "crlf.txt",
        "deep",
        "empty",
        "fixed",
        "no files",
      ]);
    });

    test("what lies there already is not written over, unless that is wanted", async () => {
      const target = String.raw`c:\Users\dev\kept`;
      const there = join(drives, "C:/Users/dev/kept");
      await mkdir(there);
      await writeFile(join(there, "work"), "of the guest");
      await expect(
        windows.folderIn(session, { folder: here, target }, quiet),
      ).rejects.toMatchObject({ failure: { code: "workspaces.conflict" } });
      expect(await readdir(there)).toEqual(["work"]);
      const again = await windows.folderIn(
        session,
        { folder: here, target, overwrite: true },
        quiet,
      );
      expect(again.files).toBe(4);
      expect(await readdir(there)).toContain("work");
    });

    test("without a drive a target begins in the user's home", async () => {
      const copied = await windows.folderIn(
        session,
        { folder: here, target: "project" },
        quiet,
      );
      expect(copied.guestFolder).toBe(String.raw`C:\Users\dev\project`);
      await windows.pathIn(
        session,
        { source: join(here, "crlf.txt"), target: "~/one.txt" },
        quiet,
      );
      expect(await readdir(join(drives, "C:/Users/dev"))).toEqual(
        expect.arrayContaining(["one.txt", "project"]),
      );
    });

    test("a folder that can't be made is told by name", async () => {
      await writeFile(join(drives, "C:/file"), "");
      await expect(
        windows.folderIn(
          session,
          { folder: here, target: String.raw`C:\file\below` },
          quiet,
        ),
      ).rejects.toMatchObject({
        failure: {
          code: "ssh.transferFailed",
          message: expect.stringContaining("/c:/file") as string,
        },
      });
    });
  },
);

test("paths go from SFTP's spelling to Windows' own", () => {
  expect(["/C:/Users/dev/x", "/c:", "/home/dev"].map(windowsPath)).toEqual([
    String.raw`C:\Users\dev\x`,
    "C:\\",
    "/home/dev",
  ]);
});
