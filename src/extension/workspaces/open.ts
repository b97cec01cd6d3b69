import { l10n } from "vscode";
import { about } from "../failures/about.ts";
import { withCancellableProgress } from "../window/progress.ts";
import type { OpenIn } from "../window/settings.ts";
import type { OpenMachine } from "../ssh/open.ts";
import { chooseConfig } from "./chooseConfig.ts";
import { placeKey, type Wish } from "./folders.ts";
import { bringUp, type UpDeps } from "./up.ts";

export interface OpenDeps extends UpDeps {
  readonly open: OpenMachine;
}

/**
 * Brings a place's VM up and opens it. A failure is about the place: *Show Log* shows its log, and *Try Again* goes on at
 * the step that failed.
 */
export const workspaceOpener =
  (deps: OpenDeps) =>
  (place: Wish, openIn: OpenIn): Promise<void> =>
    about({ kind: "workspace", id: placeKey(place) }, async () => {
      const chosen = await chooseConfig(deps.call, place);
      if (chosen === undefined) return;
      // *Try Again* asks for no configuration once more.
      await about({ kind: "workspace", id: placeKey(chosen) }, async () => {
        const came = await bringUp(deps, chosen);
        const id = came?.workspace.machine?.id;
        if (came === undefined || id === undefined) return;
        const { machine } = await deps.call("machines.show", { machine: id });
        const folder = { path: came.remoteFolder };
        await deps.open(machine, { folder, openIn });
      });
    });

/** Clones a repository, or fetches what is new there, with git's own words as progress. */
export function fetchClone(
  { call, onNotice }: Pick<UpDeps, "call" | "onNotice">,
  url: string,
  branch?: string,
): Promise<{ readonly folder: string; readonly branch: string }> {
  return withCancellableProgress(
    l10n.t("Cloning {0}", url),
    async (report, signal) => {
      const stop = onNotice("branches.fetching", (fetching) => {
        if (fetching.url === url) report(fetching.text);
      });
      try {
        const which = branch === undefined ? { url } : { url, branch };
        const params = { ...which, how: "fetch" } as const;
        return await call("branches.clone", params, signal);
      } finally {
        stop();
      }
    },
  );
}
