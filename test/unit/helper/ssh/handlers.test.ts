import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refused } from "../../../../src/protocol/failure.ts";
import { sshHandlers } from "../../../../src/helper/ssh/handlers.ts";
import {
  layoutOf,
  type SshFiles,
} from "../../../../src/helper/store/layout.ts";

let home: string;
let files: SshFiles;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "handlers-"));
  files = layoutOf(home).ssh;
});
afterEach(() => rm(home, { recursive: true, force: true }));

const context = { requestId: "1", signal: new AbortController().signal };
const handlers = () =>
  sshHandlers({
    files,
    find: (name) => {
      if (name !== "box") throw refused("machines.unknown", `No ${name}.`);
      return {
        id: "0123",
        name,
        alias: "gh-box",
        user: "dev",
        os: "linux",
        port: 4022,
      };
    },
    prepare: (_, signal) => {
      expect(signal).toBe(context.signal);
      return Promise.resolve({ host: "127.0.0.1", port: 4022 });
    },
    aliases: () => ["gh-box"],
  });

test("access names everything a terminal needs, with or without the Include line", async () => {
  const { access } = await handlers()["ssh.access"](
    { machine: "box" },
    context,
  );
  expect(access).toMatchObject({
    alias: "gh-box",
    user: "dev",
    port: 4022,
    identityFile: files.identity,
    command: ["ssh", "-F", files.config, "gh-box"],
  });
  await expect(
    Promise.resolve().then(() =>
      handlers()["ssh.access"]({ machine: "other" }, context),
    ),
  ).rejects.toMatchObject({ failure: { code: "machines.unknown" } });
});

test("a launcher is recorded once, runnable, with the data folder in its environment", async () => {
  const use = () =>
    handlers()["ssh.useLauncher"](
      { command: ["/usr/bin/node", "/x/helper.js"], env: { E: "1" } },
      context,
    );
  expect(await use()).toEqual({ changed: true });
  expect(await use()).toEqual({ changed: false });
  const text = await readFile(files.launcher, "utf8");
  expect(text).toContain(`export GUESTHOUSE_HOME=${home}\n`);
  expect(text).toContain("export E=1\n");
  expect((await stat(files.launcher)).mode & 0o777).toBe(0o700);
});

test("prepare passes the caller's cancellation on", async () => {
  expect(await handlers()["ssh.prepare"]({ machine: "box" }, context)).toEqual({
    host: "127.0.0.1",
    port: 4022,
  });
});
