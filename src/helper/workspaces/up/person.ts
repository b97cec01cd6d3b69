import { gitPersonOfHost, setUpGit } from "../editor/gitUser.ts";
import type { SshSession } from "../../ssh/session.ts";
import type { Marks } from "./guestOfUp.ts";
import type { UpRun } from "./run.ts";

/**
 * Sets git up for the person (`setUpGit`), where the client wishes for an identity. One's dotfiles may bring another: until
 * they are there, git only learns which folders it may work in.
 */
export async function setGitUp(
  run: UpRun,
  session: SshSession,
  marks: Marks,
  signal: AbortSignal,
): Promise<void> {
  const { entry, configuration, plan, params, log } = run;
  const awaitsDotfiles =
    params.dotfiles !== undefined && !marks.has(dotfilesMark);
  const person =
    params.gitIdentity === true && !awaitsDotfiles
      ? await gitPersonOfHost(configuration.folder, signal)
      : {};
  const { workspaceFolder } = entry.record.made ?? plan.placing;
  const notes = await setUpGit(
    session,
    { folder: workspaceFolder, person, marks },
    signal,
  );
  for (const note of notes) log.note(note);
}

/** By which the guest remembers them; see `due.ts`. */
export const dotfilesMark = "dotfiles";
