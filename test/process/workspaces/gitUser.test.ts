import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";
import {
  gitPersonOfHost,
  setUpGit,
} from "../../../src/helper/workspaces/editor/gitUser.ts";
import { reason, type UpOverSsh, upOverSsh } from "./upOverSsh.ts";
import { git } from "./workspaceOverSsh.ts";

const sweep = "rm -rf ~/.gitconfig ~/.config ~/repo /etc/gitconfig";

describe.skipIf(reason !== undefined)(
  `git in a guest knows the person (${reason ?? "OpenSSH's server"})`,
  () => {
    const at = upOverSsh(sweep);
    const { signal } = new AbortController();
    let guest: UpOverSsh["guest"];
    let home: string;
    const usual = process.env["HOME"];
    beforeAll(async () => {
      home = await mkdtemp(join(tmpdir(), "gh-home-"));
      process.env["HOME"] = home;
      await writeFile(
        join(home, ".gitconfig"),
        `[user]\n\tname = "Ada \\"A\\" L"\n\temail = ada@example.com\n[includeIf "gitdir:**/project*/"]\n\tpath = work\n`,
      );
      await writeFile(
        join(home, "work"),
        "[user]\n\temail = ada@work.example\n",
      );
    });
    beforeEach(() => {
      ({ guest } = at);
    });
    afterAll(async () => {
      process.env["HOME"] = usual;
      await rm(home, { recursive: true });
    });
    const inGuest = async (command: string): Promise<string> =>
      (await guest.exec(command)).stdout.trim();
    const person = { name: String.raw`O'Neil "x" \ ä`, email: "o@example.com" };
    const setUp = (folder = "/root/repo") =>
      setUpGit(guest, { folder, person, marks: new Map() }, signal);
    const who = () =>
      inGuest("cd /; git config user.name; git config user.email");
    /** A repository whose files belong to somebody else, with a submodule. */
    const foreign = () =>
      inGuest(`set -e
for name in repo repo/sub repo/inner; do git init -q ~/$name; done
printf '[submodule "a b"]\\n\\tpath = sub\\n\\turl = x\\n' > ~/repo/.gitmodules
chown -R 1000 ~/repo`);

    test("an up gives what git on this computer says for the folder, once, and only where that is wished", async () => {
      await git(at.folder, "init", "-q");
      await at.put({});
      await at.up({ gitIdentity: false });
      expect(await who()).toBe("");
      await at.up({ gitIdentity: true });
      expect(await who()).toBe('Ada "A" L\nada@work.example');
      await inGuest("git config --global user.name Grace");
      await at.up({ gitIdentity: true });
      expect(await who()).toBe("Grace\nada@work.example");
    });

    test("dotfiles come first", async () => {
      await mkdir(join(at.folder, "dots"));
      await writeFile(
        join(at.folder, "dots", ".gitconfig"),
        "[user]\n\tname = Dot\n",
      );
      await at.put({ onCreateCommand: "git config user.name > ~/seen; true" });
      await at.up({
        gitIdentity: true,
        dotfiles: {
          repository: at.remote,
          targetPath: `${at.remote}/dots`,
        },
      });
      expect(await who()).toBe("Dot");
      expect(await inGuest("cat ~/seen; rm ~/seen")).toBe("");
    });

    test("nobody's name is replaced or halved, and any name arrives as it is", async () => {
      await inGuest("git config --global user.email me@here");
      await setUp();
      expect(await who()).toBe("me@here");
      await inGuest(sweep);
      await setUp();
      expect(await who()).toBe(`${person.name}\n${person.email}`);
    });

    test("without git, the one that comes later knows it", async () => {
      await inGuest("mkdir -p ~/no; ln -sf /bin/sh ~/no/sh");
      const noGit = {
        ...guest,
        exec: (command: string) => guest.exec(`PATH=/root/no ${command}`),
      };
      await setUpGit(
        noGit,
        { folder: "/root", person, marks: new Map() },
        signal,
      );
      expect(await who()).toBe(`${person.name}\n${person.email}`);
    });

    test("git works in folders of another user, submodules and repositories in it, too", async () => {
      await foreign();
      expect((await guest.exec("git -C ~/repo status")).stderr).toContain(
        "dubious ownership",
      );
      expect(await setUp()).toHaveLength(4);
      expect(await inGuest("cat ~/.gitconfig | grep -c directory")).toBe("3");
      for (const name of ["repo", "repo/sub", "repo/inner"])
        expect(
          (await guest.exec(`git -C ~/${name} rev-parse --git-dir`)).code,
        ).toBe(0);
      expect(await setUp()).toEqual([]);
      // Where nothing is refused, nothing is written.
      await inGuest(`${sweep}; git init -q ~/repo`);
      await setUp();
      expect(await inGuest("git config --get-all safe.directory")).toBe("");
    });

    test("a folder that is gone, or none of git, says nothing", async () => {
      expect(await gitPersonOfHost(join(home, "none"), signal)).toEqual({});
      expect(await gitPersonOfHost(home, signal)).toEqual({
        name: 'Ada "A" L',
        email: "ada@example.com",
      });
    });
  },
);
