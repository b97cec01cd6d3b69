import { basename } from "node:path";
import { l10n, window } from "vscode";
import { given } from "../../base/given.ts";
import type { CameUp, Workspace } from "../../protocol/workspaces.ts";
import { failureOf } from "../failures/present.ts";
import type { Call, OnNotice } from "../helper/connection.ts";
import { type Report, withCancellableProgress } from "../window/progress.ts";
import { bytesText, durationText } from "../rows/quantities.ts";
import type { Records } from "../helper/records.ts";
import type { Settings } from "../window/settings.ts";
import {
  askInitialize,
  type Consents,
  goesOnUntrusted,
  localEnvOf,
} from "./consent.ts";
import { workText } from "../rows/workspace.ts";
import { type Place, placeKey, type Wish } from "./folders.ts";
import { type HostPathsWish, withHostPaths } from "./hostPaths.ts";
import { askFiles } from "./shareConsent.ts";
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

/**
 * Brings a folder's VM up, with its stages in a notification. Undefined when the user leaves at a
 * question.
 */
export async function bringUp(
  deps: UpDeps,
  place: Wish,
): Promise<CameUp | undefined> {
  const { call, settings } = deps;
  const { folder, branch } = place;
  const wished = await askWhatToBringUp(deps, place);
  if (wished === undefined) return undefined;
  const { read, seesHost, params } = wished;
  const isTrusted = deps.isTrusted() && place.isCloned !== true;
  const usual = settings().files;
  const files = await askFiles(
    read,
    folder,
    { isTrusted, usual },
    deps.consents,
  );
  if (files === undefined) return undefined;
  const secrets = await gatherSecrets(
    read,
    { folder, isTrusted: seesHost },
    deps.secrets,
  );
  if (secrets === undefined) return undefined;
  const serverFolder = await deps.serverFolder();
  const { dotfiles, gitIdentity, gitCredentials, agentForwarding } = settings();
  const title =
    branch === undefined
      ? l10n.t("Opening {0} in its VM", basename(folder))
      : l10n.t("Opening {0} ({1}) in its VM", basename(folder), branch);
  const { container, prebuild } = place;
  const up = (hostPaths?: HostPathsWish): Promise<CameUp> =>
    withCancellableProgress(title, (report, signal) =>
      telling(deps, place, report, () =>
        call(
          "workspaces.up",
          {
            ...params,
            ...files,
            defaults: { ...params.defaults, files: usual },
            ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
            ...given({ dotfiles, serverFolder, prebuild, container }),
            ...given({ hostPaths }),
            gitIdentity: gitIdentity && seesHost,
            gitCredentials: gitCredentials && seesHost,
            agentForwarding: agentForwarding && seesHost,
            until: "waitFor",
          },
          signal,
        ),
      ),
    );
  const came = await withHostPaths(up, deps.consents, {
    digest: read.digest,
    // Nothing of this computer goes to what isn't trusted.
    seesHost,
  }).catch(async (error: unknown) => {
    // Without that, every further try would run it again, and never offer to do without.
    const { code } = await failureOf(error);
    if (code === "workspaces.initializeFailed")
      await deps.consents.takeBack(read.digest);
    throw error;
  });
  if (came === undefined) return undefined;
  // The window in the VM offers the remedy to that.
  const { outdated } = came.workspace;
  for (const note of came.notes.filter((each) => each !== outdated))
    void window.showInformationMessage(note);
  return came;
}

/**
 * What an `up` or a prebuild needs to know of the folder's configuration and the user, but for what is personal; undefined
 * when the user leaves at a question.
 */
export async function askWhatToBringUp(
  { call, settings, consents, isTrusted }: UpDeps,
  place: Wish,
) {
  const { folder, branch, config } = place;
  const which = { folder, ...given({ branch, config }) };
  const read = await call("workspaces.read", which);
  if (!isTrusted() && !(await goesOnUntrusted(read, folder))) return undefined;
  const initialize = await askInitialize(read, folder, isTrusted(), consents);
  if (initialize === undefined) return undefined;
  // What was cloned a moment ago is not what the user trusts in this window: it sees nothing unless it was looked at.
  const seesHost =
    isTrusted() && (place.isCloned !== true || initialize === "run");
  const { image, cpus, memoryMiB, diskGiB } = settings();
  const params = {
    ...which,
    initialize,
    digest: read.digest,
    localEnv: localEnvOf(read, seesHost, process.env),
    defaults: {
      image,
      ...given({ cpus, memoryMiB, diskGiB }),
    },
  };
  return { read, seesHost, params };
}

/** Reports the folder's stage with its age, and the files that were copied, while `work` goes on. */
async function telling<T>(
  { workspaces, onNotice }: UpDeps,
  place: Place,
  report: Report,
  work: () => Promise<T>,
): Promise<T> {
  const find = (): Workspace | undefined =>
    workspaces
      .all()
      .find(
        (each) =>
          placeKey(each) === placeKey(place) && each.state.kind === "working",
      );
  const tell = (): void => {
    const found = find();
    if (found?.state.kind !== "working") return;
    const age = durationText(Date.now() - found.state.sinceMs);
    report(`${workText(found) ?? ""} · ${age}`);
  };
  const stops = [
    workspaces.onDidChange(tell),
    onNotice("copying.progress", ({ machine, files, bytes }) => {
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
