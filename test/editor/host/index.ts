import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { suite, test } from "mocha";
import * as vscode from "vscode";
import { commandIds } from "../../../src/extension/commandIds.ts";
import { runMocha } from "../harness/hostRunner.ts";
import { watchCommands } from "./watchCommands.ts";

const extensionId = "guesthouse.guesthouse";
const env = (name: string): string => {
  const value = process.env[name];
  assert.ok(value !== undefined, `${name} is not set`);
  return value;
};

/** Waits until this process has hardly anything to do for half a second. */
async function untilIdle(): Promise<void> {
  for (;;) {
    const before = performance.eventLoopUtilization();
    await sleep(500);
    const { utilization } = performance.eventLoopUtilization(before);
    if (utilization < 0.02) return;
  }
}

export const run = (): Promise<void> => runMocha(define);

function define(): void {
  suite("Guesthouse in an extension host", () => {
    test("is not active before it is asked for anything", () => {
      const extension = vscode.extensions.getExtension(extensionId);
      assert.ok(extension, "the extension is not installed");
      assert.equal(extension.isActive, false);
    });

    test("activates with less than 50 ms of processor time", async () => {
      const extension = vscode.extensions.getExtension(extensionId);
      // The editor's own extensions start up in this process, too; and other processes may keep the machine busy, so
      // the clock is no measure.
      await untilIdle();
      const before = process.cpuUsage();
      await extension?.activate();
      const { user, system } = process.cpuUsage(before);
      const usedMs = (user + system) / 1000;
      assert.ok(usedMs < 50, `activation used ${usedMs.toFixed(1)} ms`);
    });

    test("registers every command that its manifest names", async () => {
      const registered = await vscode.commands.getCommands(true);
      const lacking = commandIds.filter((id) => !registered.includes(id));
      assert.deepEqual(lacking, []);
    });

    test("starts a VM by its name", async () => {
      await vscode.commands.executeCommand(
        "guesthouse.startMachine",
        env("GUESTHOUSE_TEST_MACHINE"),
      );
    }).timeout(300_000);

    test("opens a VM at the address vscode-remote://ssh-remote+<alias>/home/<user>, in a new window", async () => {
      await vscode.workspace
        .getConfiguration("remote.SSH")
        .update(
          "configFile",
          env("GUESTHOUSE_TEST_SSH_CONFIG"),
          vscode.ConfigurationTarget.Global,
        );
      const calls = await watchCommands("vscode.openFolder", () =>
        vscode.commands.executeCommand(
          "guesthouse.openMachine",
          env("GUESTHOUSE_TEST_MACHINE"),
        ),
      );
      const [uri, options] = calls[0] ?? [];
      assert.ok(uri instanceof vscode.Uri, "vscode.openFolder was not called");
      const authority = `ssh-remote+${env("GUESTHOUSE_TEST_ALIAS")}`;
      assert.equal(uri.scheme, "vscode-remote");
      assert.equal(uri.authority, authority);
      assert.equal(uri.path, `/home/${env("GUESTHOUSE_TEST_USER")}`);
      assert.deepEqual(options, {
        forceNewWindow: true,
        forceReuseWindow: false,
      });
    }).timeout(300_000);

    test("connects an empty window to a VM by its authority", async () => {
      const calls = await watchCommands("vscode.newWindow", () =>
        vscode.commands.executeCommand(
          "guesthouse.openEmptyWindow",
          env("GUESTHOUSE_TEST_MACHINE"),
        ),
      );
      assert.deepEqual(calls, [
        [
          {
            remoteAuthority: `ssh-remote+${env("GUESTHOUSE_TEST_ALIAS")}`,
            reuseWindow: false,
          },
        ],
      ]);
    }).timeout(120_000);

    test("tells the SSH extension the guest's platform before it connects", () => {
      const settings = vscode.workspace.getConfiguration("remote.SSH");
      assert.deepEqual(settings.get("remotePlatform"), {
        [env("GUESTHOUSE_TEST_ALIAS")]: "linux",
      });
    });

    test("copies an ssh command that works in any terminal", async () => {
      await vscode.commands.executeCommand(
        "guesthouse.copySshCommand",
        env("GUESTHOUSE_TEST_MACHINE"),
      );
      const copied = await vscode.env.clipboard.readText();
      assert.match(copied, /^ssh /);
      assert.ok(copied.includes(env("GUESTHOUSE_TEST_ALIAS")), copied);
    });
  });
}
