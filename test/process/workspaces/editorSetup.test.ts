import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { reason, stagesOf, type UpOverSsh, upOverSsh } from "./upOverSsh.ts";
import { git } from "./workspaceOverSsh.ts";

/* What a devcontainer.json and its user say for the editor, over OpenSSH's server, whose /etc and home are its own. */

const settingsFile = ".vscode-server/data/Machine/settings.json";
const secret = 'hunter2\'s "long"\npassword';

describe.skipIf(reason !== undefined)(
  `a guest is set up for its editor and its user (${reason ?? "with mounts of its own"})`,
  () => {
    const at = upOverSsh(
      'rm -rf /etc/profile.d/guesthouse* "$HOME"/.[!.]* "$HOME"/*',
    );
    const { put, up } = at;
    let guest: UpOverSsh["guest"];
    let room: UpOverSsh["room"];
    let folder: UpOverSsh["folder"];
    let home: UpOverSsh["home"];
    let sshd: UpOverSsh["sshd"];
    beforeEach(() => {
      ({ guest, room, folder, home, sshd } = at);
    });

    const inGuest = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await guest.exec(command);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return stdout;
    };
    const vscode = (settings: object, extensions: string[] = []): object => ({
      customizations: { vscode: { settings, extensions } },
    });
    const settings = async (file = settingsFile): Promise<unknown> =>
      JSON.parse(await inGuest(`cat "$HOME/${file}"`)) as unknown;

    test("settings, ports and remoteEnv are the server's machine settings; what left the file leaves them", async () => {
      await inGuest("mkdir -p ~/.local/share/code-server");
      await put({
        portsAttributes: { "3000": { label: "web", onAutoForward: "silent" } },
        otherPortsAttributes: { onAutoForward: "ignore" },
        remoteEnv: { GREETING: "hi ${containerEnv:HOME}", LANG: null },
        ...vscode({ "editor.tabSize": 3, "guesthouse.qemuPath": "/evil" }, [
          "golang.go",
          "./evil.vsix",
        ]),
      });
      const { warnings, workspace } = await up();
      expect(warnings.map(({ message }) => message).join("\n")).toMatch(
        /guesthouse\.qemuPath can't be set.*\n.*\.\/evil\.vsix is no extension's id/,
      );
      expect(workspace.extensions).toEqual(["golang.go"]);
      const expected = {
        "remote.portsAttributes": {
          "3000": { label: "web", onAutoForward: "silent" },
        },
        "remote.otherPortsAttributes": { onAutoForward: "ignore" },
        "terminal.integrated.env.linux": { GREETING: "hi /root", LANG: null },
        "editor.tabSize": 3,
      };
      expect(await settings()).toEqual(expected);
      expect(
        await settings(".local/share/code-server/Machine/settings.json"),
      ).toEqual(expected);
      expect(await inGuest(`stat -c %a ${settingsFile}`)).toBe("600\n");
      expect((await inGuest("ls -A")).split("\n")).not.toContain(
        ".cursor-server",
      );

      // Somebody changes one, adds one and writes a comment; then the file changes.
      await inGuest(
        `sed -i '/tabSize/i // mine' ${settingsFile}; sed -i 's/"editor.tabSize": 3/"editor.tabSize": 8,\\n  "mine": true/' ${settingsFile}`,
      );
      await put(vscode({ "editor.tabSize": 4, new: 1 }));
      await up({ serverFolder: ".vscodium-server" });
      const text = await inGuest(`cat ${settingsFile}`);
      expect(text).toContain("// mine");
      expect(JSON.parse(text.replace("// mine", ""))).toEqual({
        "editor.tabSize": 8,
        mine: true,
        new: 1,
      });
      expect(
        await settings(".vscodium-server/data/Machine/settings.json"),
      ).toEqual({ "editor.tabSize": 4, new: 1 });
    });

    test("settings that are no JSON are left alone and told of; a link is written through", async () => {
      await inGuest(
        `mkdir -p ~/kept ${settingsFile.replace("/settings.json", "")}; echo '{ "a": ' > kept/s.json; ln -s ../../../kept/s.json ${settingsFile}`,
      );
      await put(vscode({ b: 1 }));
      expect((await up()).notes.join("\n")).toContain("no JSON");
      expect(await inGuest("cat kept/s.json")).toBe('{ "a": \n');
      await inGuest("echo '{}' > kept/s.json");
      await put(vscode({ b: 2 }));
      await up();
      expect(JSON.parse(await inGuest("cat kept/s.json"))).toEqual({ b: 2 });
    });

    test("login shells of the user see remoteEnv as long as the file has it, and the probe never", async () => {
      const value = async (): Promise<string> =>
        (await inGuest("sh -lc 'echo \"${GREETING-none}\"'")).trim();
      const file = {
        userEnvProbe: "loginShell",
        postAttachCommand: 'echo "greeted: ${GREETING-none}"',
      };
      await put({ ...file, remoteEnv: { GREETING: "it's me" } });
      await up();
      expect(await value()).toBe("it's me");
      expect(at.log).toContain("greeted: it's me");
      at.log = "";
      await put(file);
      await up();
      expect(await value()).toBe("none");
      expect(at.log).toContain("greeted: none");
    });

    test("secrets: commands see them; no file of the guest or the helper, no log and no failure holds them", async () => {
      await put({
        secrets: { TOKEN: { description: "of the registry" } },
        remoteEnv: { TOKEN: "from the file", PATH: "/nowhere" },
        onCreateCommand: [
          ...["/bin/sh", "-c"],
          'printf "%s" "$TOKEN" > /dev/shm/gh-seen; /usr/bin/cat; echo "it is $TOKEN"',
        ],
        postCreateCommand: {
          one: ["/bin/sh", "-c", 'printf "%s" "$TOKEN" | /usr/bin/tail -c 8'],
          two: ["/bin/sh", "-c", 'echo "$TOKEN" >&2; exit 3'],
        },
      });
      const read = await room.handlers["workspaces.read"](
        { folder },
        { requestId: "test", signal: new AbortController().signal },
      );
      expect(read.secrets).toEqual([
        { name: "TOKEN", description: "of the registry" },
      ]);
      const failed = await up({ secrets: { TOKEN: secret } }).then(
        () => "",
        (error: unknown) => JSON.stringify(error) + String(error),
      );
      expect(await readFile("/dev/shm/gh-seen", "utf8")).toBe(secret);
      expect(failed).toContain("***");
      const kept = await Promise.all(
        (await readdir(join(sshd.folder, home), { recursive: true })).map(
          (name) =>
            readFile(join(sshd.folder, home, name), "utf8").catch(() => ""),
        ),
      );
      expect(kept.join("")).toContain("it is ***");
      for (const text of [failed, at.log, ...kept]) {
        expect(text).not.toContain("hunter2");
        expect(text).not.toContain("password");
      }
      const search = "grep -rl hunter2 ~ /etc /var/lib/guesthouse";
      expect(await inGuest(`rm /dev/shm/gh-seen; ${search} || true`)).toBe("");
      // Where it lies in a file, the same search finds it.
      expect(
        await inGuest(
          `cd ~ && echo hunter2 > planted && ${search}; rm planted`,
        ),
      ).toMatch(/^\S*\/planted\s*$/);
    });

    const dotfiles = async (files: Record<string, string>): Promise<string> => {
      const repository = join(sshd.folder, `dots of ${home}`);
      await mkdir(join(repository, "script"), { recursive: true });
      await git(repository, "init", "-q");
      for (const [name, text] of Object.entries(files))
        await writeFile(join(repository, name), text);
      await git(repository, "add", "-A");
      await git(repository, "commit", "-qm", "dots");
      return repository;
    };

    test("dotfiles: cloned, their installer run with the secrets, after the file's own and before postStart, once", async () => {
      const repository = await dotfiles({
        "script/setup": "#!/bin/sh\necho not this one\n",
        "setup.sh": 'echo "$PWD with $TOKEN" >> ~/ran; echo token $TOKEN\n',
      });
      await put({
        postCreateCommand: "echo postCreate >> ~/ran",
        postStartCommand: "echo postStart >> ~/ran",
      });
      const wish = {
        dotfiles: { repository: `file://${repository}` },
        secrets: { TOKEN: "hunter2" },
      };
      expect(stagesOf(await up(wish))).toEqual([
        ...["machine", "files", "environment", "postCreateCommand"],
        ...["dotfiles", "postStartCommand"],
      ]);
      expect((await inGuest("cat ran")).split("\n")).toEqual([
        "postCreate",
        "/root/dotfiles with hunter2",
        "postStart",
        "",
      ]);
      expect(at.log).toContain("running ./setup.sh of the dotfiles\ntoken ***");
      expect(stagesOf(await up(wish))).toEqual(["machine", "environment"]);
    });

    test("dotfiles without an installer are linked; folders that are there stay", async () => {
      const repository = await dotfiles({
        ".bashrc": "# mine\n",
        README: "not a dotfile\n",
      });
      await inGuest("echo skeleton > .bashrc; mkdir .config");
      await mkdir(join(repository, ".config"));
      await writeFile(join(repository, ".config", "x"), "");
      await git(repository, "add", "-A");
      await git(repository, "commit", "-qm", "more");
      await put({});
      await up({ dotfiles: { repository, targetPath: "~/my dots" } });
      expect(await inGuest("cat .bashrc")).toBe("# mine\n");
      expect((await inGuest("ls -A")).trim().split("\n").sort()).toEqual(
        [".bashrc", ".config", ".local", "my dots"].sort(),
      );
      expect(at.log).toContain(".config is a folder already");
    });

    test("dotfiles: a wanted command; what fails is told and stops nothing, and is tried again", async () => {
      const repository = await dotfiles({
        "mine.sh": 'echo "mine: $*"; [ -e ~/mended ] || exit 9\n',
        "install.sh": "echo not this one\n",
      });
      await put({ postStartCommand: "echo started > ~/started" });
      const wish = {
        dotfiles: { repository, installCommand: "sh mine.sh --quietly" },
      };
      const { notes, workspace } = await up(wish);
      expect(notes.join("\n")).toContain("not installed: exit code 9");
      expect(workspace).toMatchObject({
        state: { kind: "ready" },
        mishap: expect.stringContaining("exit code 9") as string,
      });
      expect(at.log).toContain("mine: --quietly");
      expect(await inGuest("cat started; touch mended")).toBe("started\n");
      const mended = await up(wish);
      expect(stagesOf(mended)).toEqual(["machine", "environment", "dotfiles"]);
      expect(mended.workspace.mishap).toBeUndefined();
      const nowhere = {
        dotfiles: {
          repository: "https://me:pass%20word@127.0.0.1:9/none",
          targetPath: "elsewhere",
        },
      };
      await guest.exec("rm /var/lib/guesthouse/workspace/done-dotfiles");
      at.log = "";
      expect((await up(nowhere)).workspace.mishap).toContain("exit code");
      expect(at.log).toContain("127.0.0.1");
      expect(at.log).not.toContain("pass%20word");
    });
  },
);
