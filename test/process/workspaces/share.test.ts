import { execa } from "execa";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import {
  type MountedShare,
  mountShare,
} from "../../../src/helper/workspaces/share/mountShare.ts";
import { readShareProgram } from "../../../src/helper/workspaces/share/program.ts";
import { type RealSshd, startSshd } from "../ssh/realSshd.ts";
import { noFuse } from "./fuse.ts";
import { apart } from "./upOverSsh.ts";

const program = await readShareProgram(
  resolve(import.meta.dirname, "../../../resources/guest/share"),
);
const pause = (ms: number): Promise<void> =>
  new Promise((wake) => setTimeout(wake, ms));

/** Prints what inotify tells of a folder until a file called mine is deleted. */
const watchEvents = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
names = {0x2: "modify", 0x100: "create", 0x200: "delete"}
libc.inotify_add_watch(fd, sys.argv[1].encode(), 0x302)
while True:
    data, at = os.read(fd, 4096), 0
    while at < len(data):
        _, mask, _, length = struct.unpack_from("iIII", data, at)
        name = data[at + 16 : at + 16 + length].rstrip(bytes(1)).decode()
        at += 16 + length
        print(names[mask & 0x302], name, flush=True)
        if name == "mine":
            sys.exit()
`;

describe.skipIf(noFuse !== undefined)(
  `a shared folder over OpenSSH's server and the kernel's FUSE (${noFuse ?? "with mounts of its own"})`,
  () => {
    let sshd: RealSshd;
    let guest: SshSession;
    let here: string;
    let folder: string;
    let share: MountedShare;
    const target = "/mnt/it's shared";

    /** Runs a command in the mounted folder. */
    const run = async (command: string): Promise<string> => {
      const { stdout, stderr, code } = await guest.exec(
        `cd "${target}" && ${command}`,
      );
      expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
      return stdout.trim();
    };
    /** The same for one that must fail; answers what it said. */
    const refuse = async (command: string): Promise<string> => {
      const { stderr, code } = await guest.exec(`cd "${target}" && ${command}`);
      expect(code).not.toBe(0);
      return stderr;
    };
    const mount = (readonly = false): Promise<MountedShare> =>
      mountShare(guest, { folder, target, readonly }, program);

    beforeAll(async () => {
      sshd = await startSshd(apart);
      guest = await connectSsh(sshd.target);
      here = await mkdtemp(join(tmpdir(), "gh-share-"));
      folder = join(here, "project");
      await mkdir(join(folder, "src"), { recursive: true });
      await writeFile(join(here, "secret"), "outside\n");
      await writeFile(join(folder, "src", "a"), "one\n");
      await writeFile(join(folder, "run.sh"), "#!/bin/sh\necho ran\n", {
        mode: 0o755,
      });
      await symlink("run.sh", join(folder, "link"));
      share = await mount();
    });
    afterAll(async () => {
      await guest.exec(`umount -l "${target}"`);
      await share.close();
      guest.close();
      await sshd.close();
      await rm(here, { recursive: true, force: true });
    });

    test("what is written on one side is on the other at once, also where it was looked at before", async () => {
      expect(await run("cat src/a; ls src; ./link; stat -c %a run.sh")).toBe(
        "one\na\nran\n755",
      );
      await writeFile(join(folder, "src", "a"), "longer than one\n");
      await writeFile(join(folder, "src", "new"), "new\n");
      await pause(150);
      expect(await run("cat src/a src/new; ls src")).toBe(
        "longer than one\nnew\na\nnew",
      );
      await unlink(join(folder, "src", "new"));
      await rename(join(folder, "src", "a"), join(folder, "src", "b"));
      await pause(150);
      expect(await run("ls src; cat src/b")).toBe("b\nlonger than one");
      await run(
        "echo two > src/c && chmod 600 src/c && mkdir -p d/e && mv src/c d/e/f && ln -s e/f d/l && ln d/e/f d/hard && touch -d @1000 d/e/f",
      );
      expect(
        await readFile(join(folder, "d", "l"), "utf8").catch(() => ""),
      ).toBe("two\n");
      const made = await stat(join(folder, "d", "e", "f"));
      expect([made.mode & 0o777, made.nlink, made.mtimeMs]).toEqual([
        0o600, 2, 1_000_000,
      ]);
      await run("rm -r d && ! test -e d");
      expect(await readdir(folder)).not.toContain("d");
    });

    test("large files, appended and cut ones, and files that are removed while they are open", async () => {
      await run(
        "head -c 5000000 /dev/urandom > big && cp big big2 && cmp big big2 && echo end >> big",
      );
      const { stdout } = await execa("sha256sum", {
        inputFile: join(folder, "big"),
      });
      expect(await run("sha256sum < big")).toBe(stdout);
      await run("truncate -s 10 big2 && exec 3< big && rm big && wc -c <&3");
      expect((await stat(join(folder, "big2"))).size).toBe(10);
    });

    test("no link, name or rename leads out of the folder", async () => {
      await run(`ln -s "${here}" out && ln -s ../secret up`);
      // In the guest they mean the guest's own files: here, by chance, the same machine's.
      expect(await readlink(join(folder, "up"))).toBe("../secret");
      const server =
        await import("../../../src/helper/workspaces/share/hostFolder.ts");
      const host = await server.HostFolder.open(folder);
      // So these ways work, and what is refused below is refused for where it leads.
      await writeFile(join(folder, "inside"), "inside\n");
      await run("ln -s inside in && ln -s src sub");
      expect(await run("cat inside in sub/b")).toBe(
        "inside\ninside\nlonger than one",
      );
      expect(await refuse("cat up")).toContain("No such file");
      for (const attempt of [
        () => host.stat("inside"),
        () => host.openFile("inside", 0).then((file) => file.close()),
        () =>
          host.createFile("src/made", 1, 0o600).then((file) => file.close()),
        () => host.list("src", () => undefined),
        () => host.rename("src/made", "moved", { replace: true }),
        () => host.link("moved", "src/linked"),
        () => host.chmod("moved", 0o777),
        () => host.unlink("src/linked"),
        () => host.unlink("moved"),
      ])
        await expect(attempt()).resolves.not.toThrow();
      for (const attempt of [
        () => host.stat("out/secret"),
        () => host.stat("sub/b"),
        () => host.openFile("up", 0),
        () => host.openFile("in", 0),
        () => host.openFile("out/secret", 0),
        () => host.createFile("out/made", 1, 0o600),
        () => host.createFile("up", 1, 0o600),
        () => host.list("out", () => undefined),
        () => host.stat("../secret"),
        // Characters whose low bytes are "../secret".
        () => host.stat("\u012e\u012e\u012fsecret"),
        () => host.openFile("\u012e\u012e\u012fsecret", 0),
        () => host.rename("run.sh", "out/run.sh", { replace: true }),
        () => host.link("out/secret", "stolen"),
        () => host.chmod("up", 0o777),
        () => host.unlink("src/../../secret"),
      ])
        await expect(attempt()).rejects.toThrow();
      await host.close();
      expect(await readdir(here)).toEqual(["project", "secret"]);
      expect(await readFile(join(here, "secret"), "utf8")).toBe("outside\n");
      expect((await lstat(join(folder, "run.sh"))).isFile()).toBe(true);
      await run("rm out up in sub inside");
    });

    test("a broken connection is waited out: open files and working folders go on", async () => {
      const slow = guest.exec(
        `cd "${target}/src" && exec 3< ../run.sh && sleep 1.5 && ls && head -c 9 <&3`,
      );
      await pause(500);
      await share.close();
      await writeFile(join(folder, "src", "meanwhile"), "");
      share = await mount();
      expect(await slow).toMatchObject({
        code: 0,
        stdout: "b\nmeanwhile\n#!/bin/sh",
      });
    });

    test("programs of the guest that watch files hear of the host's changes, once and by their kind, and not twice of their own", async () => {
      await run("mkdir watched && touch watched/mine && ls watched");
      const watching = guest.exec(
        `cd "${target}/watched" && python3 -c '${watchEvents}' .`,
      );
      await pause(400);
      const at = (name: string): string => join(folder, "watched", name);
      await writeFile(at("new"), "1");
      await pause(150);
      await writeFile(at("new"), "22");
      await pause(150);
      await mkdir(at("folder"));
      await pause(150);
      await run("echo own > watched/own");
      await pause(150);
      await unlink(at("new"));
      await rm(at("folder"), { recursive: true });
      await pause(150);
      await unlink(at("mine"));
      const { stdout, stderr } = await watching;
      expect(stderr).toBe("");
      expect(stdout.trim().split("\n")).toEqual([
        "create new",
        "modify new",
        "create folder",
        "create own",
        "modify own",
        "delete new",
        "delete folder",
        "delete mine",
      ]);
      expect(await readFile(at("own"), "utf8")).toBe("own\n");
      await run("rm -r watched");
    });

    test("shared for reading only, nothing can be written", async () => {
      await share.close();
      share = await mount(true);
      expect(await run("cat run.sh")).toContain("echo ran");
      for (const attempt of [
        "touch x",
        "echo > run.sh",
        "rm run.sh",
        "mv run.sh y",
        "chmod 600 run.sh",
      ])
        expect(await refuse(attempt)).toContain("Read-only");
      await share.close();
      share = await mount();
    });
  },
);
