import { commands, env, extensions, l10n, Uri, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import type { MakeReady } from "../machines/ready.ts";
import { withCancellableProgress } from "../window/progress.ts";
import type { OpenIn, Settings } from "../window/settings.ts";
import { addressOf, authorityOf } from "./address.ts";
import { installedSshExtension, sshExtensionFor } from "./editors.ts";
import type { OpenedAliases } from "./openedAliases.ts";
import { keepInclude } from "./include.ts";
import { prepareEditor } from "./remoteSettings.ts";

export interface OpenTarget {
  /** `machine`: its copied folder, or its user's home. */
  readonly folder: "machine" | "none" | { readonly path: string };
  readonly openIn: OpenIn;
  /** The VM itself, where its alias leads into a container. */
  readonly around?: "container";
}

/** Opens a machine in the editor, starting it when needed; says what can be done when the editor can't. */
export type OpenMachine = (
  machine: Machine,
  target: OpenTarget,
) => Promise<void>;

export function machineOpener(deps: {
  readonly call: Call;
  readonly settings: () => Settings;
  readonly makeReady: MakeReady;
  readonly opened: OpenedAliases;
  /** Repeats what was done at connecting, so that a failure is told here. */
  readonly useLauncher: () => Promise<unknown>;
}): OpenMachine {
  const { call, settings, makeReady, opened, useLauncher } = deps;

  /** True when `ssh <alias>` finds our settings; the user may have opted out. */
  const include = async (machine: Machine): Promise<boolean> => {
    if (settings().manageSshConfig) return keepInclude(call, settings());
    const { access } = await call("ssh.access", { machine: machine.id });
    return access.included;
  };

  return async (machine, target) => {
    const installed = installedSshExtension(
      (id) => extensions.getExtension(id) !== undefined,
    );
    if (installed === undefined) {
      offerOtherWays(machine);
      return;
    }
    const ready = await withCancellableProgress(
      l10n.t("Opening {0}", machine.name),
      (report, signal) => makeReady(machine.id, report, signal),
    );
    await about({ kind: "machine", id: machine.id }, async () => {
      await useLauncher();
      if (!(await include(ready))) {
        offerInclude(ready);
        return;
      }
      const { container } = ready;
      const alias =
        (target.around === undefined ? undefined : container?.vmAlias) ??
        ready.alias;
      await prepareEditor(alias, ready.os);
      await opened.add(alias);
      await openWindow({ ...ready, alias }, target);
    });
  };
}

async function openWindow(
  machine: Machine,
  { folder, openIn }: OpenTarget,
): Promise<void> {
  const newWindow = openIn === "newWindow";
  if (folder === "none") {
    await commands.executeCommand("vscode.newWindow", {
      remoteAuthority: authorityOf(machine.alias),
      reuseWindow: !newWindow,
    });
    return;
  }
  const path =
    folder === "machine"
      ? (machine.folder?.guest ?? machine.home)
      : folder.path;
  await commands.executeCommand(
    "vscode.openFolder",
    Uri.from(addressOf(machine.alias, path)),
    { forceNewWindow: newWindow, forceReuseWindow: !newWindow },
  );
}

/** Not awaited by the command: its work is done, whenever the question is answered. */
function offerOtherWays(machine: Machine): void {
  const install = l10n.t("Install Remote - SSH");
  const terminal = l10n.t("SSH in Terminal");
  const text = l10n.t(
    "Opening {0} needs an extension that connects the editor over SSH, and none is installed.",
    machine.name,
  );
  void window
    .showWarningMessage(text, install, terminal)
    .then((answer): Thenable<unknown> | undefined => {
      if (answer === install)
        return commands.executeCommand(
          "workbench.extensions.installExtension",
          sshExtensionFor(env.uriScheme),
        );
      if (answer === terminal)
        return commands.executeCommand("guesthouse.sshInTerminal", machine.id);
      return undefined;
    });
}

function offerInclude(machine: Machine): void {
  const settings = l10n.t("Open Setting");
  const terminal = l10n.t("SSH in Terminal");
  const text = l10n.t(
    "Your ssh config doesn't include the settings of the VMs, and the setting that would add them is off.",
  );
  void window
    .showWarningMessage(text, settings, terminal)
    .then((answer): Thenable<unknown> | undefined => {
      if (answer === settings)
        return commands.executeCommand(
          "workbench.action.openSettings",
          "guesthouse.manageSshConfig",
        );
      if (answer === terminal)
        return commands.executeCommand("guesthouse.sshInTerminal", machine.id);
      return undefined;
    });
}
