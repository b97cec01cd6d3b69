import { execa } from "execa";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CameUp, Workspace } from "../../src/protocol/workspaces.ts";
import {
  type Ended,
  eventually,
  type Household,
  household,
} from "./household.ts";

let house: Household;
let root: string;
/** With a space and a letter beyond ASCII, and like an option: names go through shells on both sides. */
const name = "--my wéb";
let folder: string;
let alias: string;

/** Every command leaves its name behind, in the guest, when it runs. */
const leaves = (word: string, more = "true"): string =>
  `echo ${word} >> ~/ran; ${more}`;
const file = {
  name: "My web",
  image: "debian-12",
  customizations: { guesthouse: { memory: "768mb", cpus: 1 } },
  remoteUser: "vscode",
  containerEnv: { PLAIN: "one two", ODD: "a#b \"c\" 'd'" },
  remoteEnv: {
    PATH: "${containerEnv:PATH}:/opt/mine",
    TOKEN: "${localEnv:GH_TEST_TOKEN}",
    MISSING: "${localEnv:GH_TEST_MISSING:instead}",
    ID: "${devcontainerId}",
  },
  forwardPorts: [3000],
  appPort: 3000,
  initializeCommand: "",
  onCreateCommand: leaves("onCreate"),
  updateContentCommand: ["sh", "-c", leaves("updateContent"), "it's", "$PLAIN"],
  postCreateCommand: leaves("postCreate", "echo before the fall; exit 7"),
  postStartCommand: leaves("postStart"),
  postAttachCommand: leaves("postAttach"),
} as Record<string, unknown>;

const put = (change: Record<string, unknown> = {}): Promise<void> =>
  writeFile(
    join(folder, ".devcontainer", "devcontainer.json"),
    `// generated\n${JSON.stringify(Object.assign(file, change), null, 2)}`,
  );
const up = (...flags: string[]): Promise<Ended> =>
  house.guesthouse(["up", ...flags, "--", folder]);
const inWorkspace = (...command: string[]): Promise<Ended> =>
  house.guesthouse(["exec", "-C", folder, "--", ...command]);
const ran = async (): Promise<string[]> =>
  (await inWorkspace("sh", "-c", "cat ~/ran")).stdout.trim().split("\n");

beforeAll(async () => {
  house = await household({ GH_TEST_TOKEN: "s3cret token" });
  await house.json(["image", "pull", "debian-12"]);
  root = await mkdtemp(join(tmpdir(), "project-"));
  folder = join(root, name);
  await mkdir(join(folder, ".devcontainer"), { recursive: true });
  await execa("git", ["init", "-q", folder]);
  await writeFile(join(folder, "--checkpoint-action=exec=sh x"), "an option?");
  await put();
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

describe("a folder with a devcontainer.json", () => {
  test("does nothing on the host without consent, and shows what it would do", async () => {
    const witness = join(root, "was here");
    await put({ initializeCommand: ["touch", witness] });
    const { exitCode, stderr } = await up();
    expect(exitCode).toBe(3);
    expect(stderr).toContain("wants to run a command on this computer");
    expect(stderr).toContain(witness);
    expect(await house.json(["list"])).toEqual([]);
    expect(existsSync(witness)).toBe(false);
    await put({ initializeCommand: `touch '${witness}'` });
  });

  test("comes up until a command fails: its code, last words and log are told, the VM stays", async () => {
    const { exitCode, stderr } = await up("--trust", "--agent-forwarding");
    expect(stderr).toContain("postCreateCommand ended with exit code 7");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("before the fall");
    expect(stderr).toMatch(/── onCreateCommand ──/);
    expect(stderr).toMatch(/warning: appPort is not done yet/);
    expect(stderr).toContain("GH_TEST_TOKEN");
    expect(stderr).not.toContain("s3cret");
    const log = /The whole output is in (\S+\.log)/.exec(stderr)?.[1] ?? "";
    expect(await readFile(log, "utf8")).toContain("before the fall");
    expect(existsSync(join(root, "was here"))).toBe(true);
    expect(await house.machine("my-w-b")).toMatchObject({
      user: "vscode",
      cpus: 1,
      agentForwarding: true,
      state: { kind: "running" },
    });
    expect(await ran()).toEqual(["onCreate", "updateContent", "postCreate"]);
  });

  test("goes on with the mended command, and runs the object form side by side", async () => {
    await put({
      postCreateCommand: {
        // Each waits for the other's word.
        one: `${leaves("one")}; timeout 60 sh -c 'until grep -q two ~/ran; do sleep 0.2; done'`,
        two: `${leaves("two")}; timeout 60 sh -c 'until grep -q one ~/ran; do sleep 0.2; done'`,
      },
    });
    const { exitCode, stderr, stdout } = await up("--skip-initialize");
    expect(stderr).toContain("has changed since the last up");
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/http:\/\/localhost:\d+ → port 3000/);
    // A slow postAttachCommand goes on behind the answer.
    await expect
      .poll(async () => (await ran()).at(-1), { timeout: 60_000 })
      .toBe("postAttach");
    const words = await ran();
    expect(words.slice(0, 3)).toEqual([
      "onCreate",
      "updateContent",
      "postCreate",
    ]);
    expect(words.slice(3, 5).sort()).toEqual(["one", "two"]);
    expect(words.slice(5)).toEqual(["postStart", "postAttach"]);
  });

  test("a second up runs only what runs each time", async () => {
    const before = await ran();
    const again = JSON.parse(
      (await up("--skip-initialize", "--json")).stdout,
    ) as CameUp;
    expect(again.stages.map(({ stage }) => stage)).toEqual([
      "machine",
      "environment",
      "postAttachCommand",
    ]);
    expect(again).toMatchObject({
      alias: "gh-my-w-b",
      remoteFolder: `/workspaces/${name}`,
      user: "vscode",
      workspace: { title: "My web", state: { kind: "ready" } },
    });
    alias = again.alias;
    await expect
      .poll(async () => (await ran()).slice(before.length), { timeout: 60_000 })
      .toEqual(["postAttach"]);
  });

  test("up that is cancelled ends its command in the guest, with all that it started", async () => {
    const before = file["postAttachCommand"];
    await put({
      postAttachCommand: `trap '' HUP; sleep 600 & echo $! $$ > ~/pids.new; mv ~/pids.new ~/pids; wait`,
    });
    const controller = new AbortController();
    // As Ctrl+C does it.
    const attempt = house.guesthouse(
      ["up", "--skip-initialize", "--", folder],
      { cancelSignal: controller.signal, killSignal: "SIGINT" },
    );
    const until = (what: string, script: string): Promise<true> =>
      eventually(what, 120_000, async () =>
        (await house.ssh(alias, [script])).exitCode === 0 ? true : undefined,
      );
    await until("The command", "kill -0 $(cat ~/pids)");
    controller.abort();
    expect((await attempt).exitCode).not.toBe(0);
    await until(
      "Its end",
      "for p in $(cat ~/pids); do ! kill -0 $p || exit 1; done",
    );
    await put({ postAttachCommand: before });
  });

  test("exec runs in the workspace, with its environment and its own exit code", async () => {
    const { stdout, exitCode } = await inWorkspace(
      "sh",
      "-c",
      'pwd; whoami; printf "%s\\n" "$PLAIN" "$ODD" "$TOKEN" "$MISSING"; ls -A; git status -s | wc -l; exit 9',
    );
    expect(stdout.split("\n").slice(0, 6)).toEqual([
      `/workspaces/${name}`,
      "vscode",
      "one two",
      "a#b \"c\" 'd'",
      "s3cret token",
      "instead",
    ]);
    expect(stdout).toContain("--checkpoint-action=exec=sh x");
    expect(exitCode).toBe(9);
    expect((await inWorkspace("printenv", "PATH")).stdout).toMatch(
      /:\/opt\/mine$/,
    );
    expect((await inWorkspace("printenv", "ID")).stdout).toMatch(/^\w{52}$/);
  });

  test("containerEnv is there for every login", async () => {
    expect((await house.ssh(alias, ["printenv", "PLAIN"])).stdout).toBe(
      "one two",
    );
  });

  test("rebuild makes a new VM by the same alias, of what the file says now; down stops and deletes", async () => {
    await put({ remoteUser: "other", waitFor: "onCreateCommand" });
    const { id } = await house.machine("my-w-b");
    const outdated = await up("--skip-initialize");
    expect(outdated.stderr).toContain("Rebuild the VM to apply it");
    expect(outdated.stdout).toContain(`guesthouse rebuild ${folder}`);
    const rebuilt = await house.guesthouse([
      ...["rebuild", "--discard", "--skip-initialize", "--", folder],
    ]);
    expect(rebuilt.exitCode, rebuilt.stderr).toBe(0);
    expect(rebuilt.stdout).toContain(`as other at ${alias}`);
    expect((await house.machine("my-w-b")).id).not.toBe(id);
    expect((await ran()).slice(0, 2)).toEqual(["onCreate", "updateContent"]);
    const down = await house.guesthouse(["down", "--", folder]);
    expect(down.exitCode, down.stderr).toBe(0);
    expect((await house.machine("my-w-b")).state.kind).toBe("stopped");
    const gone = await house.guesthouse([
      ...["down", "--delete", "--discard", "--json", "--", folder],
    ]);
    expect(JSON.parse(gone.stdout) as Workspace).toMatchObject({
      alias,
      state: { kind: "absent" },
    });
    expect(await house.json(["list"])).toEqual([]);
    expect((await inWorkspace("true")).exitCode).toBe(3);
  });
});
