import { basename } from "node:path";
import { l10n, window } from "vscode";
import type { CameUp, Workspace } from "../../protocol/devcontainers.ts";
import type { Call, OnNotice } from "../helper/connection.ts";
import { type Report, withCancellableProgress } from "../progress.ts";
import { bytesText, durationText } from "../quantities.ts";
import type { Records } from "../records.ts";
import type { Settings } from "../settings.ts";
import {
  askInitialize,
  type Consents,
  goesOnUntrusted,
  localEnvOf,
} from "./consent.ts";
import { workText } from "./describe.ts";
import { gatherSecrets, type SecretStore } from "./secrets.ts";

export interface UpDeps {
  readonly call: Call;
  readonly onNotice: OnNotice;
  readonly workspaces: Records<Workspace>;
  readonly settings: () => Settings;
  readonly consents: Consents;
  readonly secrets: SecretStore;
  /** The folder of this editor's server in a home folder, where it is known. */
  readonly serverFolder: () => Promise<string | undefined>;
  /** Whether the user trusts what is open in this window. */
  readonly isTrusted: () => boolean;
}

/** A folder of this computer and, of several configurations, the chosen one. */
export interface Which {
  readonly folder: string;
  readonly config?: string;
}

/**
 * Brings a folder's VM up, with its stages in a notification. Undefined when the user leaves at a
 * question.
 */
export async function bringUp(
  deps: UpDeps,
  folder: string,
): Promise<CameUp | undefined> {
  const { call, settings, consents, isTrusted } = deps;
  const which = await chooseConfig(call, folder);
  if (which === undefined) return undefined;
  const read = await call("workspaces.read", which);
  if (!isTrusted() && !(await goesOnUntrusted(read, folder))) return undefined;
  const initialize = await askInitialize(read, folder, isTrusted(), consents);
  if (initialize === undefined) return undefined;
  const secrets = await gatherSecrets(read, folder, isTrusted(), deps.secrets);
  if (secrets === undefined) return undefined;
  const serverFolder = await deps.serverFolder();
  const { image, cpus, memoryMiB, diskGiB, dotfiles } = settings();
  const title = l10n.t("Opening {0} in its VM", basename(folder));
  const came = await withCancellableProgress(title, (report, signal) =>
    telling(deps, folder, report, () =>
      call(
        "workspaces.up",
        {
          ...which,
          initialize,
          digest: read.digest,
          localEnv: localEnvOf(read, isTrusted(), process.env),
          defaults: {
            image,
            ...(cpus === undefined ? {} : { cpus }),
            ...(memoryMiB === undefined ? {} : { memoryMiB }),
            ...(diskGiB === undefined ? {} : { diskGiB }),
          },
          ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
          ...(dotfiles === undefined ? {} : { dotfiles }),
          ...(serverFolder === undefined ? {} : { serverFolder }),
          until: "waitFor",
        },
        signal,
      ),
    ),
  );
  for (const note of came.notes) void window.showInformationMessage(note);
  return came;
}

/** The only configuration, or the one that the user picks; undefined when the user picks none. */
async function chooseConfig(
  call: Call,
  folder: string,
): Promise<Which | undefined> {
  const { configs } = await call("workspaces.configs", { folder });
  if (configs.length < 2) return { folder };
  const config = await window.showQuickPick([...configs], {
    title: l10n.t("Open {0} in VM", basename(folder)),
    placeHolder: l10n.t("This folder has several configurations"),
  });
  return config === undefined ? undefined : { folder, config };
}

/** Reports the folder's stage with its age, and the files that were copied, while `work` goes on. */
async function telling<T>(
  { workspaces, onNotice }: UpDeps,
  folder: string,
  report: Report,
  work: () => Promise<T>,
): Promise<T> {
  const find = (): Workspace | undefined =>
    workspaces
      .all()
      .find((each) => each.folder === folder && each.state.kind === "working");
  const tell = (): void => {
    const found = find();
    if (found?.state.kind !== "working") return;
    const age = durationText(Date.now() - found.state.sinceMs);
    report(`${workText(found) ?? ""} · ${age}`);
  };
  const stops = [
    workspaces.onDidChange(tell),
    onNotice("workspaces.copied", ({ machine, files, bytes }) => {
      if (find()?.machine?.id === machine)
        report(
          l10n.t(
            "copying the folder · {0} files · {1}",
            files,
            bytesText(bytes),
          ),
        );
    }),
  ];
  const timer = setInterval(tell, 1_000);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    for (const stop of stops) stop();
  }
}
