/*
 * What stands in for paths of this computer in a VM: made over OpenSSH's server, with folders mounted by the kernel's FUSE, and
 * changed from one way to another.
 */
import { execa } from "execa";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import {
  type HostPathsWish,
  hostPathsFolder,
} from "../../../src/helper/workspaces/container/hostPaths.ts";
import { sharesOf } from "../../../src/helper/workspaces/share/ofWorkspace.ts";
import { readShareProgram } from "../../../src/helper/workspaces/share/program.ts";
import { Shares } from "../../../src/helper/workspaces/share/shares.ts";
import type { WorkspaceRecord } from "../../../src/helper/store/workspaceRecords.ts";
import type { ContainerOfUp } from "../../../src/helper/workspaces/up/guestOfUp.ts";
import { provideHostPart } from "../../../src/helper/workspaces/up/hostPart.ts";
import type { UpRun } from "../../../src/helper/workspaces/up/run.ts";
import { type RealSshd, startSshd } from "../ssh/realSshd.ts";
import { noFuse } from "./fuse.ts";
import { apart } from "./upOverSsh.ts";

describe.skipIf(noFuse !== undefined)(
  `paths of this computer (${noFuse ?? "with mounts of its own"})`,
  () => {
    let sshd: RealSshd;
    let guest: SshSession;
    let here: string;
    let shares: Shares;
    let made: WorkspaceRecord["made"];
    const told: string[] = [];
    const inGuest = (name: string): string => `${hostPathsFolder}/${name}`;
    const run = async (command: string): Promise<string> => {
      const { stdout, stderr, code } = await guest.exec(command);
      expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
      return stdout.trim();
    };
    const kinds = (): Promise<string> =>
      run(`cd ${hostPathsFolder} && stat -c '%n %F' -- *`);

    /** As an `up` that makes the container does it. */
    const provide = (
      wish: HostPathsWish,
      names: readonly string[],
    ): Promise<void> => {
      const entry = { record: { made } };
      return provideHostPart(
        {
          entry,
          deps: {
            shares,
            onCopied: () => () => undefined,
            workspaces: {
              rewrite: (_: unknown, change: Pick<WorkspaceRecord, "made">) => {
                made = change.made;
                entry.record.made = change.made;
                return Promise.resolve();
              },
            },
          },
          log: { note: () => undefined },
          tell: (notes: readonly string[]) => told.push(...notes),
        } as unknown as UpRun,
        {
          guest: { session: guest, machine: { id: "web" } },
          container: {
            ...{ networks: [], volumes: [], usesHostGateway: false },
            hostPaths: names.map((name) => ({
              ...{ host: join(here, name), guest: inGuest(name) },
              target: `/${name}`,
            })),
            decided: { wish, paths: names.map((name) => join(here, name)) },
          },
        } as unknown as ContainerOfUp,
        new AbortController().signal,
      );
    };

    beforeAll(async () => {
      sshd = await startSshd(apart);
      guest = await connectSsh(sshd.target);
      here = await mkdtemp(join(tmpdir(), "gh-paths-"));
      await mkdir(join(here, "my models"));
      await writeFile(join(here, "my models", "one"), "1\n");
      await writeFile(join(here, "settings"), "a=b\n");
      await execa("mkfifo", [join(here, "socket")]);
      made = { machine: "web" } as WorkspaceRecord["made"];
      shares = new Shares({
        program: () =>
          readShareProgram(
            resolve(import.meta.dirname, "../../../resources/guest/share"),
          ),
        target: () => Promise.resolve(sshd.target),
        specsOf: () => sharesOf(made),
        onState: () => undefined,
        log: silentLog,
      });
      await guest.exec(
        "mountpoint -q /sys/fs/fuse/connections || mount -t fusectl fusectl /sys/fs/fuse/connections",
      );
    });
    afterAll(async () => {
      await provide("empty", []);
      await shares.close();
      guest.close();
      await sshd.close();
      await rm(here, { recursive: true, force: true });
    });
    const all = ["my models", "settings", "socket", "missing"];

    test("empty: folders for folders and what isn't there, a file for a file", async () => {
      await provide("empty", all);
      expect((await kinds()).split("\n")).toEqual([
        "missing directory",
        "my models directory",
        "settings regular empty file",
        "socket directory",
      ]);
      expect(told).toEqual([]);
    });

    test("copied after that: what stood in for it makes room, and a change there stays", async () => {
      await provide("copy", all);
      expect(
        await run(`cd ${hostPathsFolder} && cat 'my models/one' settings`),
      ).toBe("1\na=b");
      expect(told.join()).toMatch(/Sockets and devices.*socket/);
      await run(`echo mine > ${inGuest("settings")}`);
      await provide("copy", all);
      expect(await run(`cat ${inGuest("settings")}`)).toBe("mine");
    });

    test("shared for reading: the folder is this computer's, a file is a copy; then for writing, too", async () => {
      await provide("share-readonly", ["my models", "settings"]);
      await writeFile(join(here, "my models", "two"), "2\n");
      const two = `cat '${inGuest("my models/two")}'`;
      await expect.poll(() => run(two), { timeout: 5_000 }).toBe("2");
      const write = `echo 3 > '${inGuest("my models/three")}'`;
      expect((await guest.exec(write)).stderr).toMatch(/Read-only/);
      await provide("share", ["my models", "settings"]);
      await run(write);
      expect(
        (await execa("cat", [join(here, "my models", "three")])).stdout,
      ).toBe("3");
      expect(made?.hostShares).toMatchObject([{ readonly: false }]);
    });

    test("no longer named, nothing of this computer is mounted, and nothing of it is lost", async () => {
      await provide("share", []);
      expect(made?.hostShares).toBeUndefined();
      expect(shares.size).toBe(0);
      expect(
        await run("grep -c fuse.guesthouse /proc/self/mounts || true"),
      ).toBe("0");
      expect((await execa("ls", [join(here, "my models")])).stdout).toBe(
        "one\nthree\ntwo",
      );
    });
  },
);
