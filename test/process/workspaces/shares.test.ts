/*
 * The folders of this computer that one machine has mounted: kept by `Shares` over OpenSSH's server and the kernel's FUSE, and
 * taken away again.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import { unmountScript } from "../../../src/helper/workspaces/container/guestScripts.ts";
import type { ShareSpec } from "../../../src/helper/workspaces/share/mountShare.ts";
import { readShareProgram } from "../../../src/helper/workspaces/share/program.ts";
import { Shares } from "../../../src/helper/workspaces/share/shares.ts";
import type { Failure } from "../../../src/protocol/failure.ts";
import { type RealSshd, startSshd } from "../ssh/realSshd.ts";
import { noFuse } from "./fuse.ts";
import { apart } from "./upOverSsh.ts";

const { signal } = new AbortController();

describe.skipIf(noFuse !== undefined)(
  `folders of a machine (${noFuse ?? "with mounts of its own"})`,
  () => {
    let sshd: RealSshd;
    let guest: SshSession;
    let here: string;
    let specs: ShareSpec[];
    let shares: Shares;
    let failure: Failure | undefined;
    const open = () =>
      new Shares({
        program: () =>
          readShareProgram(
            resolve(import.meta.dirname, "../../../resources/guest/share"),
          ),
        target: () => Promise.resolve(sshd.target),
        specsOf: (machine) => (machine === "web" ? specs : []),
        onState: (_machine, told) => (failure = told),
        log: silentLog,
      });
    const run = async (command: string): Promise<string> => {
      const { stdout, stderr, code } = await guest.exec(command);
      expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
      return stdout.trim();
    };
    const spec = (name: string, readonly = false): ShareSpec => ({
      ...{ folder: join(here, name), target: `/root/host paths/${name}` },
      readonly,
    });
    const takeAway = async (gone: ShareSpec): Promise<void> => {
      specs = specs.filter((each) => each !== gone);
      await shares.release("web", gone.target);
      await run(unmountScript([gone.target]));
    };

    beforeAll(async () => {
      sshd = await startSshd(apart);
      guest = await connectSsh(sshd.target);
      // A guest's systemd does that.
      await guest.exec(
        "mountpoint -q /sys/fs/fuse/connections || mount -t fusectl fusectl /sys/fs/fuse/connections",
      );
      here = await mkdtemp(join(tmpdir(), "gh-shares-"));
      for (const name of ["project", "models"]) {
        await mkdir(join(here, name));
        await writeFile(join(here, name, "is"), `${name}\n`);
      }
      specs = [spec("project"), spec("models", true)];
      shares = open();
    });
    afterAll(async () => {
      await shares.close();
      await run(
        unmountScript(["project", "models"].map((name) => spec(name).target)),
      );
      guest.close();
      await sshd.close();
      await rm(here, { recursive: true, force: true });
    });

    test("all of them are mounted, each in its way, and those of other machines aren't looked for", async () => {
      expect(shares.isMounted("web")).toBe(false);
      await shares.ensure("web", signal);
      expect(shares.isMounted("web")).toBe(true);
      expect(shares.isMounted("other")).toBe(true);
      expect(shares.size).toBe(2);
      expect(await run("cat '/root/host paths/'*/is")).toBe("models\nproject");
      await run("touch '/root/host paths/project/made'");
      const { code } = await guest.exec("touch '/root/host paths/models/made'");
      expect(code).not.toBe(0);
    });

    test("one that is taken away ends for whoever still has it open, and the others go on", async () => {
      const [, models] = specs;
      const reading = await guest.start(
        "cd '/root/host paths/models' && read line && cat is",
      );
      reading.stdout.resume();
      await takeAway(models!);
      reading.stdin.end("\n");
      const { code, stderr } = await reading.ended;
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/not connected/i);
      expect(await run("ls '/root/host paths'")).toBe("project");
      expect(await run("cat '/root/host paths/project/is'")).toBe("project");
      expect(shares.size).toBe(1);
    });

    test("a place that is mounted in another way follows that, not the way before", async () => {
      const [project] = specs;
      await takeAway(project!);
      specs = [spec("project", true)];
      await shares.ensure("web", signal);
      expect(await run("cat '/root/host paths/project/is'")).toBe("project");
      const { code } = await guest.exec(
        "touch '/root/host paths/project/made'",
      );
      expect(code).not.toBe(0);
    });

    test("a folder that is gone is told, whatever the others do, until it's there again", async () => {
      specs = [...specs, spec("later")];
      await expect(shares.ensure("web", signal)).rejects.toThrow();
      await expect.poll(() => failure, { timeout: 5_000 }).toBeDefined();
      expect(shares.isMounted("web")).toBe(false);
      await mkdir(join(here, "later"));
      await expect
        .poll(() => shares.isMounted("web"), { timeout: 20_000 })
        .toBe(true);
      expect(failure).toBeUndefined();
      await takeAway(specs.at(-1)!);
    });

    test("another helper connects what this one left mounted", async () => {
      await shares.close();
      shares = open();
      await shares.ensure("web", signal);
      await writeFile(join(here, "project", "is"), "changed\n");
      await expect
        .poll(() => run("cat '/root/host paths/project/is'"), {
          timeout: 5_000,
        })
        .toBe("changed");
    });
  },
);
