import {
  commands,
  l10n,
  type Memento,
  ProgressLocation,
  type Uri,
  window,
} from "vscode";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Records } from "../helper/records.ts";

/** An id of the gallery, or an extension's package. */
export type Wanted = string | Uri;
export type InstallExtension = (wanted: Wanted) => Promise<void>;

/** The editor installs into the guest's server what doesn't insist on running at the user's side. */
export const installByEditor: InstallExtension = async (wanted) => {
  await commands.executeCommand(
    "workbench.extensions.installExtension",
    wanted,
    // Of this VM, not of all of the user's computers.
    { donotSync: true },
  );
};

/** Installs one after the other, with progress; answers with those that failed and why. */
export async function installAll(
  wanted: readonly Wanted[],
  install: InstallExtension,
): Promise<{ readonly wanted: Wanted; readonly why: string }[]> {
  const failed: { wanted: Wanted; why: string }[] = [];
  await window.withProgress(
    {
      location: ProgressLocation.Notification,
      title: l10n.t("Installing extensions in the VM"),
    },
    async (progress) => {
      for (const each of wanted) {
        progress.report({
          message: nameOf(each),
          increment: 100 / wanted.length,
        });
        try {
          await install(each);
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          failed.push({ wanted: each, why });
        }
      }
    },
  );
  return failed;
}

const nameOf = (wanted: Wanted): string =>
  typeof wanted === "string" ? wanted : wanted.path.replace(/^.*\//, "");

const key = "guesthouse.extensionsSeen";
const maxMachines = 100;

/** Which extensions were tried in which machine: each once, so that one that was taken out stays out. */
export function seenIn(memento: Memento): {
  readonly unseen: (machine: string, ids: readonly string[]) => string[];
  readonly note: (machine: string, ids: readonly string[]) => Promise<void>;
} {
  const all = (): Readonly<Record<string, string[]>> =>
    memento.get<Record<string, string[]>>(key, {});
  return {
    unseen(machine, ids) {
      const seen = new Set(all()[machine]);
      return ids.filter((id) => !seen.has(id));
    },
    async note(machine, ids) {
      const { [machine]: before = [], ...others } = all();
      const kept = Object.entries(others).slice(1 - maxMachines);
      await memento.update(key, {
        ...Object.fromEntries(kept),
        [machine]: [...new Set([...before, ...ids])],
      });
    },
  };
}

/**
 * Installs the extensions of a folder's devcontainer.json in the VM that this window is open in, once for each extension
 * and VM, in a trusted window only. What fails is told once, with a button that tries again.
 */
export function keepGuestExtensions(deps: {
  readonly workspaces: Pick<Records<Workspace>, "onDidChange">;
  /** The workspace in whose VM this window is; undefined in any other window. */
  readonly here: () => Workspace | undefined;
  readonly isTrusted: () => boolean;
  readonly onTrusted: (listener: () => void) => { dispose(): unknown };
  readonly memento: Memento;
  readonly install: InstallExtension;
}): () => void {
  const { workspaces, here, isTrusted, onTrusted, memento, install } = deps;
  const seen = seenIn(memento);
  let working = false;

  const look = async (): Promise<void> => {
    const { machine, extensions = [] } = here() ?? {};
    if (working || machine === undefined || !isTrusted()) return;
    const wanted = seen.unseen(machine.id, extensions);
    if (wanted.length === 0) return;
    working = true;
    try {
      await installAndTell(wanted, async (each) => {
        try {
          await install(each);
        } finally {
          // One by one: a window that is closed in the midst goes on with the next when it opens again.
          if (typeof each === "string") await seen.note(machine.id, [each]);
        }
      });
    } finally {
      working = false;
    }
    await look();
  };
  const lookQuietly = (): void => void look().catch(() => undefined);
  const stop = workspaces.onDidChange(lookQuietly);
  const trust = onTrusted(lookQuietly);
  return () => {
    stop();
    trust.dispose();
  };
}

async function installAndTell(
  wanted: readonly Wanted[],
  install: InstallExtension,
): Promise<void> {
  const failed = await installAll(wanted, install);
  if (failed.length > 0) void tellFailed(failed, install);
}

async function tellFailed(
  failed: Awaited<ReturnType<typeof installAll>>,
  install: InstallExtension,
): Promise<void> {
  const again = l10n.t("Try Again");
  const pressed = await window.showWarningMessage(
    l10n.t(
      "These extensions were not installed in the VM: {0}",
      failed.map(({ wanted, why }) => `${nameOf(wanted)} (${why})`).join(", "),
    ),
    again,
  );
  if (pressed === again)
    await installAndTell(
      failed.map(({ wanted }) => wanted),
      install,
    );
}
