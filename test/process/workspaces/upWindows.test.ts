import { existsSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { cmdLineLimit } from "../../../src/helper/guests/programs/powershell.ts";
import { windowsGuest } from "../../fakes/windows/guest.ts";
import { serve, type ServedGuest } from "../../fakes/windows/play.ts";
import { missing, type RealSshd, startSshd } from "../ssh/realSshd.ts";
import { failure, roomOver, stagesOf, type UpOverSsh } from "./upOverSsh.ts";

const sftpServer = "/usr/lib/openssh/sftp-server";
const lacking =
  missing ??
  (existsSync(sftpServer) ? undefined : `${sftpServer} is not installed`);

describe.skipIf(lacking)(
  `a folder whose file names a Windows image is brought up (skipped where ${lacking ?? "sshd is missing"}; Windows is played)`,
  () => {
    let drives: string;
    let sshd: RealSshd;
    let served: ServedGuest;
    const at = {} as UpOverSsh;
    const { signal } = new AbortController();
    const context = { requestId: "test", signal };

    beforeAll(async () => {
      const { dirname } = import.meta;
      drives = await mkdtemp(join(tmpdir(), "drives-"));
      await mkdir(join(drives, "C:/Users/dev"), { recursive: true });
      const windows = windowsGuest(drives);
      windows.programs.set("touch.exe", ({ args, folder }) => {
        // A list is a program's arguments, of which this one takes one.
        const [, name = ""] = /^"([^"]+)"$/.exec(args) ?? [];
        writeFileSync(join(folder, name), "");
        return 0;
      });
      served = await serve(windows);
      sshd = await startSshd([], {
        sftp: `${process.execPath} ${join(dirname, "../ssh/windowsPaths.mjs")} ${sftpServer} ${drives} /C:/Users/dev`,
        settings: [`SetEnv PATH=${served.bin}:/usr/bin:/bin`],
      });
      const folder = join(sshd.folder, "web");
      await mkdir(join(folder, ".devcontainer"), { recursive: true });
      await writeFile(join(folder, "crlf"), "a\r\n");
      Object.assign(at, {
        sshd,
        home: "home",
        folder,
        log: "",
        states: [],
        noted: [],
      });
      at.room = await roomOver(
        at,
        { os: "windows", user: "dev", home: String.raw`C:\Users\dev` },
        [
          {
            name: "windows-11",
            os: "windows",
            defaultUser: "dev",
            virtualSizeBytes: 64 * 1024 ** 3,
          },
        ],
      );
    });
    afterAll(async () => {
      await at.room.close();
      await sshd.close();
      await served.close();
      await rm(drives, { recursive: true, force: true });
    });

    afterEach(() => {
      expect(served.unknown).toEqual([]);
    });

    const put = (file: object): Promise<void> =>
      writeFile(
        join(at.folder, ".devcontainer/devcontainer.json"),
        JSON.stringify({ image: "windows-11", ...file }),
      );
    const up = (more: object = {}) =>
      at.room.handlers["workspaces.up"](
        { folder: at.folder, ...more },
        context,
      );
    const there = (name: string): Promise<string> =>
      readFile(join(drives, "C:/Users/dev/web", name), "utf8");

    test("its files, environment and commands come to Windows; what is for Linux is left out and told", async () => {
      await put({
        containerEnv: { SHARED: "1" },
        remoteEnv: { FOUND: "${containerEnv:PATH}", GONE: null },
        onCreateCommand:
          'Set-Content -Path created -Value "$env:SHARED $env:FOUND"',
        postCreateCommand: {
          list: ["touch", "it's 1"],
          text: 'Write-Output "hush $env:TOKEN"',
        },
        postStartCommand: "exit 7",
        customizations: { vscode: { extensions: ["a.b"] } },
      });
      const failed = await failure(up({ secrets: { TOKEN: "s3cret" } }));
      expect(failed).toMatchObject({
        code: "workspaces.commandFailed",
        message: expect.stringContaining("exit code 7") as string,
      });
      expect(await there("crlf")).toBe("a\r\n");
      expect(await there("created")).toBe("1 C:\\Windows\r\n");
      expect(existsSync(join(drives, "C:/Users/dev/web/it's 1"))).toBe(true);
      expect(at.log).toContain("hush");
      expect(at.log).not.toContain("s3cret");
      expect(at.log).toContain(
        "Left out in a VM with Windows so far: customizations.vscode",
      );
      expect(at.noted).toEqual([
        expect.objectContaining({ guest: String.raw`C:\Users\dev\web` }),
      ]);
    });

    test("the next one goes on where that one failed, and copies nothing again", async () => {
      await writeFile(join(drives, "C:/Users/dev/web/crlf"), "changed there");
      await put({ onCreateCommand: "exit 1", postStartCommand: "exit 0" });
      const came = await up();
      expect(came.remoteFolder).toBe(String.raw`C:\Users\dev\web`);
      expect(stagesOf(came)).toEqual([
        ...["machine", "environment", "postStartCommand"],
      ]);
      expect(await there("crlf")).toBe("changed there");
    });

    test("what is run in it passes through cmd", async () => {
      const { remoteCommand } = await at.room.handlers["workspaces.exec"](
        { folder: at.folder, command: ["npm", "run", 'a "b"'] },
        context,
      );
      expect(remoteCommand).toMatch(/^powershell\.exe [A-Za-z0-9+/=. -]+$/);
      expect(remoteCommand.length).toBeLessThan(cmdLineLimit);
    });
  },
);
