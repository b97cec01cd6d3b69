import {
  chmod,
  lstat,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { SshSession } from "../../../src/helper/ssh/session.ts";
import { unsavedWork } from "../../../src/helper/workspaces/bringBack/unsaved.ts";
import {
  copyFolderIn,
  type FolderCopy,
} from "../../../src/helper/workspaces/copying/copyFolder.ts";
import { missing, type RealSshd } from "../ssh/realSshd.ts";
import { git, overSsh, repositoryAt, workspaceAt } from "./workspaceOverSsh.ts";

const quiet = (): void => undefined;

describe.skipIf(missing)(
  `a folder is copied again over OpenSSH's server (skipped where ${missing ?? "it is missing"})`,
  () => {
    const at = overSsh();
    let sshd: RealSshd;
    let session: SshSession;
    let here: string;
    let there: string;
    beforeEach(async () => {
      ({ sshd, session, here, there } = at);
      await repositoryAt(here);
    });

    const copyIn = (wish: Partial<FolderCopy> = {}) =>
      copyFolderIn(session, { folder: here, target: there, ...wish }, quiet);
    const text = (name: string) => readFile(join(there, name), "utf8");

    test("unchanged, nothing goes, whatever was done there meanwhile", async () => {
      expect((await copyIn()).files).toBeGreaterThan(5);
      await git(there, "status");
      await writeFile(join(there, "kept"), "work there\n");
      expect(await copyIn()).toEqual({
        files: 0,
        bytes: 0,
        way: "none",
        guestFolder: there,
      });
      expect(await text("kept")).toBe("work there\n");
    });

    test("only what changed goes, and what is gone here goes there", async () => {
      await mkdir(join(here, "folder"));
      await writeFile(join(here, "folder", "x"), "x");
      await copyIn();
      await writeFile(join(here, "changed"), "after\n");
      await chmod(join(here, "mode.sh"), 0o755);
      await rm(join(here, "folder"), { recursive: true });
      await rename(join(here, "old name"), join(here, "new name"));
      await rm(join(here, "deleted"));
      await symlink("kept", join(here, "deleted"));
      await mkdir(join(there, "built"));
      await mkdir(join(there, "ignored"));
      await writeFile(join(there, "ignored", "x"), "made there");
      expect((await copyIn()).files).toBe(4);
      expect(await text("changed")).toBe("after\n");
      expect((await lstat(join(there, "mode.sh"))).mode & 0o777).toBe(0o755);
      expect((await lstat(join(there, "deleted"))).isSymbolicLink()).toBe(true);
      expect((await readdir(there)).sort()).toEqual(
        [
          ...[".git", ".gitignore", "built", "changed", "deleted", "ignored"],
          ...["kept", "mode.sh", "new name"],
        ].sort(),
      );
      expect(await git(there, "status", "--porcelain")).toBe(
        await git(here, "status", "--porcelain"),
      );
      const work = await unsavedWork(workspaceAt(session, there));
      expect(work.files).toEqual([]);
    });

    test("nothing is copied over work that is only there, unless it is said", async () => {
      await copyIn();
      await writeFile(join(there, "kept"), "work there\n");
      await writeFile(join(here, "kept"), "work here\n");
      await expect(copyIn()).rejects.toMatchObject({
        failure: {
          code: "workspaces.conflict",
          message: expect.stringContaining("kept"),
          actions: ["bringBack"],
        },
      });
      expect(await text("kept")).toBe("work there\n");
      await copyIn({ overwrite: true });
      expect(await text("kept")).toBe("work here\n");
    });

    test("a folder that was removed there is copied whole, and so is one whose copy was cut off", async () => {
      await copyIn();
      await rm(there, { recursive: true });
      await mkdir(there);
      const { files } = await copyIn();
      expect(files).toBeGreaterThan(5);
      for (const name of ["1", "2", "3", "4"])
        await writeFile(join(here, name), Buffer.alloc(20_000_000));
      const cut = new AbortController();
      const again = { folder: here, target: there };
      const onProgress = (): void => cut.abort(new Error("cut off"));
      await expect(
        copyFolderIn(session, again, onProgress, cut.signal),
      ).rejects.toThrow("cut off");
      for (const name of ["1", "2", "3", "4"]) await rm(join(here, name));
      expect((await copyIn()).files).toBe(files);
    });

    test("where no disk can be lent, the stream goes", async () => {
      for (let i = 0; i < 600; i++)
        await writeFile(join(here, `f${String(i)}`), "f");
      const lent: string[] = [];
      const disk = {
        scratch: join(sshd.folder, "scratch"),
        serial: "none",
        lend: (path: string) => {
          lent.push(path);
          return Promise.resolve(undefined);
        },
      };
      expect((await copyIn({ disk })).files).toBeGreaterThan(600);
      expect(lent).toHaveLength(1);
      await expect(lstat(lent[0]!)).rejects.toThrow();
      expect(await text("f599")).toBe("f");
    });
  },
);
