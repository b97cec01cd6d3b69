import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Household, household } from "../../vm/household.ts";
import { runOnTerminal } from "./terminal.ts";

let house: Household;
let folder: string;

beforeAll(async () => {
  house = await household();
  folder = await mkdtemp(join(tmpdir(), "gh-cli-signals-"));
  // A command of this computer, so that there is something to end before there is a machine.
  await writeFile(
    join(folder, ".devcontainer.json"),
    JSON.stringify({
      image: "debian-12",
      initializeCommand: ["sh", "-c", "echo $$ > pid; exec sleep 600"],
    }),
  );
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s ends a command, and what goes on for it in the helper",
  async (signal) => {
    const pidFile = join(folder, "pid");
    const command = spawn(
      process.execPath,
      [resolve("dist/helper.js"), "up", "--trust", "--", folder],
      {
        env: { ...process.env, GUESTHOUSE_HOME: house.home },
        stdio: "ignore",
      },
    );
    const ended = once(command, "exit");
    await soon(() => existsSync(pidFile));
    let pid = 0;
    await soon(async () => {
      pid = Number(await readFile(pidFile, "utf8"));
      return pid > 0;
    });
    command.kill(signal);
    expect(await ended).toEqual([130, null]);
    await soon(() => !existsSync(`/proc/${String(pid)}`));
    await rm(pidFile);
  },
);

test.each(["xterm-256color", "dumb"])(
  "Ctrl-C on a terminal (%s) ends a command while its progress shows (F15), and leaves nothing running",
  async (TERM) => {
    const pidFile = join(folder, "pid");
    const helper = [process.execPath, resolve("dist/helper.js")];
    const { code, tookMs, shown } = await runOnTerminal(
      [...helper, "up", "--trust", "--", folder],
      {
        keys: "\x03",
        after: { file: pidFile },
        env: { GUESTHOUSE_HOME: house.home, TERM },
      },
    );
    expect(code, shown.slice(-500)).toBe(130);
    expect(tookMs).toBeLessThan(10_000);
    expect(shown).toContain("initializeCommand");
    const pid = await readFile(pidFile, "utf8");
    await soon(() => !existsSync(`/proc/${pid.trim()}`));
    await rm(pidFile);
  },
);

async function soon(come: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(come, { timeout: 30_000 }).toBe(true);
}
