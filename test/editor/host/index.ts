import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite, test } from "mocha";
import * as vscode from "vscode";
import { commandIds } from "../../../src/extension/window/commandIds.ts";
import {
  installAll,
  installByEditor,
} from "../../../src/extension/workspaces/guestExtensions.ts";
import {
  mergeSettings,
  settingsOf,
} from "../../../src/helper/workspaces/editor/settings.ts";
import { env, runMocha } from "../harness/hostRunner.ts";
import { watchCommands } from "./watchCommands.ts";

const extensionId = "guesthouse.guesthouse";
async function until(what: string, holds: () => boolean): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += 100) {
    assert.ok(waitedMs < 30_000, `${what} did not come`);
    await sleep(100);
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

    test("is active once it is asked for", async () => {
      const extension = vscode.extensions.getExtension(extensionId);
      await extension?.activate();
      assert.equal(extension?.isActive, true);
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

    test("installs extensions in the editor's server as in a guest's; one that can't be had is told", async () => {
      const vsix = vscode.Uri.file(env("GUESTHOUSE_TEST_VSIX"));
      const failed = await installAll(
        [vsix, "guesthouse-test.nowhere"],
        installByEditor,
      );
      assert.deepEqual(
        failed.map(({ wanted }) => wanted),
        ["guesthouse-test.nowhere"],
      );
      await until("The extension", () =>
        Boolean(vscode.extensions.getExtension("guesthouse-test.small")),
      );
      await vscode.extensions.getExtension("guesthouse-test.small")?.activate();
    }).timeout(60_000);

    test("takes what a devcontainer.json sets from a guest's machine settings, and no program of this computer", async function () {
      // An editor in a browser has its server's machine settings as a window on a guest has the guest's.
      const userData = process.env["GUESTHOUSE_TEST_USER_DATA"];
      if (userData === undefined) return this.skip();
      const setting = (name: string): unknown =>
        vscode.workspace.getConfiguration().get(name);
      const evil = {
        "guesthouse.qemuPath": "/evil",
        "guesthouse.home": "/evil",
        "guesthouse.dotfiles.repository": "evil/dots",
      };
      const ours = settingsOf(
        {
          portsAttributes: { "3000": { label: "web" } },
          customizations: { vscode: { settings: { "editor.tabSize": 3 } } },
        },
        { GREETING: "hello" },
      );
      const file = join(userData, "Machine", "settings.json");
      await mkdir(join(userData, "Machine"), { recursive: true });
      await writeFile(
        file,
        mergeSettings(JSON.stringify(evil), [], ours.settings) ?? "",
      );
      try {
        await until(
          "The machine settings",
          () => setting("editor.tabSize") === 3,
        );
        // The editor adds its own of other ports.
        const ports = setting("remote.portsAttributes") as Record<
          string,
          unknown
        >;
        assert.deepEqual(ports["3000"], { label: "web" });
        assert.deepEqual(setting("terminal.integrated.env.linux"), {
          GREETING: "hello",
        });
        for (const name of Object.keys(evil)) assert.equal(setting(name), "");
      } finally {
        await writeFile(file, "{}");
        await until(
          "The settings of before",
          () => setting("editor.tabSize") !== 3,
        );
      }
    }).timeout(60_000);

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
