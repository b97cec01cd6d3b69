import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CameUp } from "../../src/protocol/workspaces.ts";
import { type Ended, type Household, household } from "./household.ts";

/* What a devcontainer.json and its user say for the editor, in a real guest by the real command line. */

let house: Household;
let root: string;
let folder: string;
let came: CameUp;

const secret = 'hunter2 it\'s "long"';
const settingsFile = ".vscode-server/data/Machine/settings.json";
/** Made in the guest, as no other server can be reached from there. */
const makeDotfiles = [
  "git init -q ~/dots && cd ~/dots && echo '# dots' > .myrc",
  "echo 'echo \"dotfiles with $TOKEN\" | tee -a ~/ran' > setup.sh",
  "git add -A && git -c user.name=t -c user.email=t@example.com commit -qm dots",
].join(" && ");

const put = (file: object): Promise<void> =>
  writeFile(
    join(folder, ".devcontainer.json"),
    JSON.stringify({
      image: "debian-12",
      remoteUser: "dev",
      customizations: {
        guesthouse: { memory: "768mb", cpus: 1 },
        vscode: {
          settings: { "editor.tabSize": 3, "guesthouse.home": "/evil" },
          extensions: ["golang.go", "-golang.go", "ms-python.python"],
        },
      },
      portsAttributes: { "3000": { label: "web" } },
      remoteEnv: { GREETING: "hello ${containerEnv:USER}" },
      secrets: { TOKEN: {} },
      onCreateCommand: makeDotfiles,
      postCreateCommand:
        'printf "%s\\n" "postCreate with $TOKEN" | tee -a ~/ran',
      postStartCommand: "echo postStart >> ~/ran",
      ...file,
    }),
  );
const up = (...flags: string[]): Promise<Ended> =>
  house.guesthouse(["up", ...flags, "--json", "--", folder]);
const inGuest = async (command: string): Promise<string> => {
  const { exitCode, stdout, stderr } = await house.ssh(came.alias, [command]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout;
};

beforeAll(async () => {
  house = await household();
  await house.json(["image", "pull", "debian-12"]);
  root = await mkdtemp(join(tmpdir(), "editor-setup-"));
  folder = join(root, "web");
  await mkdir(folder);
  await put({});
  const secretsFile = join(root, "secrets.json");
  await writeFile(secretsFile, JSON.stringify({ TOKEN: secret }));
  await chmod(secretsFile, 0o600);
  const { exitCode, stdout, stderr } = await up(
    ...["--secrets-file", secretsFile],
    ...["--dotfiles-repository", "file:///home/dev/dots"],
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  came = JSON.parse(stdout) as CameUp;
});

afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

test("the editor's server finds its machine settings; what concerns the host is left out", async () => {
  expect(JSON.parse(await inGuest(`cat ${settingsFile}`))).toEqual({
    "remote.portsAttributes": { "3000": { label: "web" } },
    "terminal.integrated.env.linux": { GREETING: "hello dev" },
    "editor.tabSize": 3,
  });
  expect(came.warnings.map(({ message }) => message).join("\n")).toContain(
    "guesthouse.home can't be set",
  );
  expect(came.workspace.extensions).toEqual(["ms-python.python"]);
});

test("a login shell has remoteEnv, as that of the editor's extensions, and no secret", async () => {
  expect(await inGuest("bash -ilc 'echo $GREETING $TOKEN' 2> /dev/null")).toBe(
    "hello dev",
  );
});

test("commands and dotfiles ran in order with the secret, the dotfiles from their repository", async () => {
  expect(came.stages.map(({ stage }) => stage)).toEqual([
    ...["machine", "files", "environment", "onCreateCommand"],
    ...["postCreateCommand", "dotfiles", "postStartCommand"],
  ]);
  expect((await inGuest("cat ran")).split("\n")).toEqual([
    `postCreate with ${secret}`,
    `dotfiles with ${secret}`,
    "postStart",
  ]);
  expect(await inGuest("git -C dotfiles remote get-url origin")).toBe(
    "file:///home/dev/dots",
  );
});

test("no log, record or file of ours holds the secret, on the host or in the guest", async () => {
  const log = await readFile(came.workspace.logPath, "utf8");
  expect(log).toContain("postCreate with ***");
  expect(log).toContain("dotfiles with ***");
  const names = await readdir(house.home, { recursive: true });
  const texts = await Promise.all(
    names
      .filter((name) => /\.(?:json|log|conf)$/.test(name))
      .map((name) => readFile(join(house.home, name), "utf8")),
  );
  expect(texts.length).toBeGreaterThan(4);
  expect(texts.filter((text) => text.includes("hunter2"))).toEqual([]);
  const search =
    "sudo grep -rlsI hunter2 /home /etc /var/lib/guesthouse /var/log /tmp || true";
  // Where it lies in a file, the same search finds it.
  expect(await inGuest(`rm ran; echo hunter2 > /tmp/planted; ${search}`)).toBe(
    "/tmp/planted",
  );
  expect(await inGuest(`rm /tmp/planted; ${search}`)).toBe("");
});

test("a second up keeps what the user changed and takes out what left the file", async () => {
  await inGuest(
    `sed -i 's/"editor.tabSize": 3/"editor.tabSize": 8/' ${settingsFile}`,
  );
  await put({ portsAttributes: {}, remoteEnv: {} });
  const { exitCode, stdout } = await up(
    "--dotfiles-repository",
    "file:///home/dev/dots",
  );
  expect(exitCode).toBe(0);
  expect(
    (JSON.parse(stdout) as CameUp).stages.map(({ stage }) => stage),
  ).toEqual(["machine", "environment"]);
  expect(JSON.parse(await inGuest(`cat ${settingsFile}`))).toEqual({
    "editor.tabSize": 8,
  });
  expect(await inGuest("bash -lc 'echo ${GREETING-none}'")).toBe("none");
});
