import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { contentDigest } from "../../../src/helper/workspaces/up/content.ts";
import {
  failure,
  reason,
  roomOver,
  stagesOf,
  type UpOverSsh,
  upOverSsh,
} from "./upOverSsh.ts";
import { isGone } from "../../vm/household.ts";
import { git } from "./workspaceOverSsh.ts";

describe.skipIf(reason !== undefined)(
  `a folder is brought up over OpenSSH's server (${reason ?? "with mounts of its own"})`,
  () => {
    const at = upOverSsh("");
    const { put, up } = at;
    let guest: UpOverSsh["guest"];
    let room: UpOverSsh["room"];
    let folder: UpOverSsh["folder"];
    let remote: UpOverSsh["remote"];
    let states: UpOverSsh["states"];
    let noted: UpOverSsh["noted"];
    let sshd: UpOverSsh["sshd"];
    beforeEach(() => {
      ({ guest, room, folder, remote, states, noted, sshd } = at);
    });

    const ran = async (): Promise<string[]> =>
      (await readFile(join(remote, "ran"), "utf8")).trim().split("\n");

    test("a failing command ends it and is where the next one goes on; then only what runs each time", async () => {
      const commands = {
        onCreateCommand: "echo onCreate >> ran",
        updateContentCommand: ["sh", "-c", "echo $0 $1 >> ran", "it's", "$X"],
        postCreateCommand: "echo oh; echo no >&2; exit 7",
        postStartCommand: "echo postStart >> ran",
        postAttachCommand: "echo postAttach >> ran",
      };
      await put(commands);
      expect(await failure(up())).toMatchObject({
        kind: "failed",
        code: "workspaces.commandFailed",
        message: expect.stringMatching(
          /^postCreateCommand ended with exit code 7\. Its last words:\n {4}(oh\n {4}no|no\n {4}oh)$/,
        ) as string,
        remedy: expect.stringContaining("workspace-") as string,
        actions: ["retry", "showLog"],
      });
      expect(await at.state()).toMatchObject({
        kind: "failed",
        stage: "postCreateCommand",
        exitCode: 7,
      });
      expect(await ran()).toEqual(["onCreate", "it's $X"]);
      await put({ ...commands, postCreateCommand: "echo mended >> ran" });
      const mended = await up();
      expect(mended.notes).toEqual([
        ".devcontainer/devcontainer.json has changed since the last up.",
      ]);
      expect(stagesOf(mended)).toEqual([
        ...["machine", "environment"],
        ...["postCreateCommand", "postStartCommand", "postAttachCommand"],
      ]);
      expect(stagesOf(await up())).toEqual([
        ...["machine", "environment", "postAttachCommand"],
      ]);
      expect((await ran()).slice(2)).toEqual([
        ...["mended", "postStart", "postAttach", "postAttach"],
      ]);
      expect(at.log).toContain("── postCreateCommand ──");
      expect(await at.state()).toEqual({ kind: "ready" });
    });

    test("an editor may open at waitFor; the rest goes on, and its failure stands in the workspace", async () => {
      await put({
        onCreateCommand: "echo onCreate >> ran",
        postCreateCommand: "until [ -e go ]; do sleep 0.1; done; exit 3",
      });
      const cameUp = await up({ until: "waitFor" });
      expect(cameUp).toMatchObject({
        alias: cameUp.workspace.alias,
        remoteFolder: remote,
      });
      expect(await ran()).toEqual(["onCreate"]);
      expect(await at.state()).toMatchObject({ kind: "working" });
      expect(room.busy()).toBe(true);
      await writeFile(join(remote, "go"), "");
      while (room.busy()) await new Promise((wake) => setTimeout(wake, 50));
      expect(await at.state()).toMatchObject({ kind: "failed", exitCode: 3 });
    });

    test("a postAttachCommand that never ends goes on; the next up starts it again", async () => {
      at.room = await roomOver(at, {}, undefined, { lingersAfterMs: 500 });
      await put({
        postAttachCommand: "echo $$ >> ran; echo serving; exec sleep 300",
      });
      const cameUp = await up();
      expect(cameUp.notes).toEqual([
        expect.stringContaining("postAttachCommand is still running") as string,
      ]);
      expect(await at.state()).toEqual({ kind: "ready" });
      expect(at.room.works(cameUp.workspace.machine!.id)).toBe(false);
      await up();
      const [first = "", second = ""] = await ran();
      expect(await isGone(Number(first))).toBe(true);
      expect(await at.state()).toEqual({ kind: "ready" });
      await at.room.close();
      // The guest ends it once it hears that nobody holds it any more.
      await expect
        .poll(() => isGone(Number(second)), { timeout: 15_000 })
        .toBe(true);
      expect(at.log).toContain("serving");
    });

    test("cancelled in the midst of a command, it goes on with that command", async () => {
      await put({
        onCreateCommand: "echo begun >> ran; [ -e go ] || sleep 60",
      });
      const controller = new AbortController();
      const attempt = failure(up({}, controller.signal));
      while (!existsSync(join(remote, "ran")))
        await new Promise((wake) => setTimeout(wake, 50));
      controller.abort();
      expect((await attempt).kind).toBe("cancelled");
      await writeFile(join(remote, "go"), "");
      await up();
      expect(await ran()).toEqual(["begun", "begun"]);
    });

    test("cancelled, a command ends in the guest with all that it started, deaf ones too (B19)", async () => {
      const witness = join(sshd.folder, `pids of ${at.home}`);
      await put({
        // Each writes down its process; the second hears no polite word.
        onCreateCommand: {
          plain: `sleep 300 & echo $! $$ >> '${witness}'; wait`,
          deaf: `trap '' TERM HUP; sleep 300 & echo $! $$ >> '${witness}'; while :; do wait; done`,
        },
      });
      const controller = new AbortController();
      const attempt = failure(
        up({ secrets: { TOKEN: "it's\nlong" } }, controller.signal),
      );
      const pids = async (): Promise<string[]> =>
        (await readFile(witness, "utf8").catch(() => ""))
          .split(/\s+/)
          .filter((pid) => pid !== "");
      while ((await pids()).length < 4)
        await new Promise((wake) => setTimeout(wake, 50));
      controller.abort();
      expect((await attempt).kind).toBe("cancelled");
      for (const pid of await pids())
        while (!(await isGone(Number(pid))))
          await new Promise((wake) => setTimeout(wake, 50));
    });

    test("down ends an up that is under way", async () => {
      await put({ onCreateCommand: "echo begun > ran; sleep 60" });
      const attempt = failure(up());
      while (!existsSync(join(remote, "ran")))
        await new Promise((wake) => setTimeout(wake, 50));
      const { workspace } = await room.handlers["workspaces.down"](
        { folder, delete: true },
        { requestId: "test", signal: new AbortController().signal },
      );
      expect(workspace.state).toEqual({ kind: "absent" });
      expect((await attempt).kind).toBe("cancelled");
    });

    test("two at once are one after the other (B19)", async () => {
      await put({ onCreateCommand: "echo once >> ran; sleep 0.3" });
      const both = await Promise.all([up(), up()]);
      const [shorter, longer] = both
        .map(stagesOf)
        .sort((a, b) => a.length - b.length);
      expect(shorter).toEqual(["machine", "environment"]);
      expect(longer).toContain("onCreateCommand");
      expect(await ran()).toEqual(["once"]);
    });

    test("the environment: of the shell's start-up files, of the guest, of the host where it is asked for", async () => {
      await guest.exec(
        "echo 'echo noise; export FROM_PROFILE=\"p q\"; read answer' > /etc/profile.d/guesthouse.sh",
      );
      await put({
        userEnvProbe: "loginShell",
        containerEnv: {
          PLAIN: "one two",
          ODD: "a#b\n'c'",
          HOST: "${localEnv:X}",
        },
        remoteEnv: {
          LATE: "${containerEnv:PLAIN}+${containerEnv:NONE:none}",
          LOGNAME: null,
        },
        postAttachCommand: [
          ...["sh", "-c"],
          'printf "%s|" "$PLAIN" "$ODD" "$HOST" "$FROM_PROFILE" "$LATE" "${LOGNAME-unset}" > out',
        ],
      });
      const { notes } = await up({ localEnv: { X: "from here" } });
      expect((await readFile(join(remote, "out"), "utf8")).split("|")).toEqual([
        ...["one two", "a#b\n'c'", "from here", "p q"],
        ...["one two+none", "unset", ""],
      ]);
      expect(notes.join("\n")).toMatch(/variables of this computer: X\./);
      expect(notes.join("\n")).toMatch(/ODD can't stand in \/etc\/environment/);
      const logins = await guest.exec("cat /etc/environment");
      expect(logins.stdout).toContain('PLAIN="one two"\nHOST="from here"\n');
      expect(await readFile("/etc/environment", "utf8")).not.toContain("PLAIN");
    });

    test("a PATH that is made of the guest's own is written out, once however often it is brought up (F5)", async () => {
      await put({
        containerEnv: {
          PATH: "/opt/tool/bin:${containerEnv:PATH}",
          NONE: "${containerEnv:MISSING:default}",
        },
        postAttachCommand: ["sh", "-c", 'printf %s "$PATH" > out'],
      });
      for (const time of ["made", "again"]) {
        await up();
        const { stdout } = await guest.exec("cat /etc/environment");
        expect(stdout, time).toContain(
          'PATH="/opt/tool/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\nNONE="default"\n',
        );
        expect(await readFile(join(remote, "out"), "utf8")).toContain(
          "/opt/tool/bin:/usr/local/sbin:",
        );
      }
    });

    test("what only a rebuild brings about is told, until it did", async () => {
      await put({});
      expect((await up()).workspace.outdated).toBeUndefined();
      await put({ hostRequirements: { cpus: 4 } });
      const came = await up();
      expect(came.workspace.outdated).toContain("Rebuild the VM to apply it");
      expect(came.notes).toEqual([came.workspace.outdated]);
      const signal = new AbortController().signal;
      const anew = await room.handlers["workspaces.rebuild"](
        { folder },
        { requestId: "test", signal },
      );
      expect(anew.workspace.outdated).toBeUndefined();
      expect(anew.notes).toEqual([]);
    });

    test("consent: nothing runs on the host without it, in the folder with it", async () => {
      const witness = join(sshd.folder, `witness of ${at.home}`);
      await put({
        initializeCommand: {
          a: ["cp", ".devcontainer/devcontainer.json", witness],
        },
      });
      expect(await failure(up())).toMatchObject({
        kind: "refused",
        code: "workspaces.consentNeeded",
      });
      const run = { initialize: "run", digest: "of another file" } as const;
      expect((await failure(up(run))).remedy).toContain("has changed since");
      expect(existsSync(witness)).toBe(false);
      expect(states).toEqual([]);
      await up({ initialize: "skip" });
      expect(existsSync(witness)).toBe(false);
      expect(stagesOf(await up({ initialize: "run" }))[0]).toBe(
        "initializeCommand",
      );
      expect(existsSync(witness)).toBe(true);
      await put({ initializeCommand: "echo no luck; exit 4" });
      expect(await failure(up({ initialize: "run" }))).toMatchObject({
        message: expect.stringContaining("exit code 4") as string,
      });
    });

    test("in a clone of a prebuild only what is not done runs; updateContent again with other content, over what it made", async () => {
      await put({
        onCreateCommand: "echo onCreate >> ran",
        updateContentCommand: "echo made > built; echo updateContent >> ran",
        postCreateCommand: "echo postCreate >> ran",
      });
      await writeFile(join(folder, "built"), "of the host");
      const content = await contentDigest(folder);
      await up();
      const marks = "/var/lib/guesthouse/workspace";
      /** As the guest of a prebuild wakes up. */
      const cloned = (): Promise<unknown> =>
        guest.exec(
          `cd ${marks}; printf prebuild-${content} > done-files; rm -f done-postCreateCommand`,
        );
      await cloned();
      expect(stagesOf(await up())).toEqual([
        ...["machine", "files", "environment", "postCreateCommand"],
      ]);
      await cloned();
      await writeFile(join(folder, "built"), "of the host, later");
      await put({
        onCreateCommand: "echo onCreate >> ran",
        updateContentCommand: "cat built >> ran; exit 3",
        postCreateCommand: "echo postCreate >> ran",
      });
      expect((await failure(up())).message).toContain("exit code 3");
      // Not forgotten by the next one, whose files count as copied.
      await put({ updateContentCommand: "echo updated >> ran" });
      expect(stagesOf(await up())).toEqual([
        ...["machine", "environment", "updateContentCommand"],
      ]);
      expect((await ran()).slice(4)).toEqual(["of the host, laterupdated"]);
    });

    test("a branch comes up as it was committed, beside the folder itself; consent runs its command among its files", async () => {
      await git(folder, "init", "-q");
      await put({ onCreateCommand: "cat word > ran" });
      await writeFile(join(folder, "word"), "main\n");
      await git(folder, "add", "-A");
      await git(folder, "commit", "-qm", "one");
      await git(folder, "checkout", "-qb", "feature/x");
      await put({
        initializeCommand: "cp word made",
        onCreateCommand: "cat word made > ran",
      });
      await writeFile(join(folder, "word"), "feature\n");
      await git(folder, "commit", "-qam", "two");
      await git(folder, "checkout", "-q", "main");
      await writeFile(join(folder, "word"), "not committed\n");
      const branch = "feature/x";
      expect(await failure(up({ branch }))).toMatchObject({
        code: "workspaces.consentNeeded",
      });
      const came = await up({ branch, initialize: "run" });
      expect(await ran()).toEqual(["feature", "feature"]);
      expect(await git(remote, "branch", "--show-current")).toBe(branch);
      expect(came.workspace).toMatchObject({ folder, branch });
      expect(came.workspace.title).toMatch(/ \(feature\/x\)$/);
      expect(existsSync(join(folder, "made"))).toBe(false);
      expect(noted).toEqual([
        expect.objectContaining({ local: folder, branch }),
      ]);
      const context = {
        requestId: "test",
        signal: new AbortController().signal,
      };
      const which = { folder, branch, command: ["true"] };
      expect(
        await room.handlers["workspaces.exec"](which, context),
      ).toMatchObject({ alias: came.alias });
      expect(await readdir(join(sshd.folder, at.home, "work"))).toEqual([]);
      expect(await failure(up({ branch: "nobody" }))).toMatchObject({
        kind: "refused",
      });
    });
  },
);
