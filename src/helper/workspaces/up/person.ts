import { withDeadline } from "../../../base/deadline.ts";
import { toFailure } from "../../../protocol/failure.ts";
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

/** A guest that isn't connected by then is connected later. */
const connectLimitMs = 60_000;

/**
 * Lets git in the guest ask this computer for credentials, or ends that, as its user says; without a word it stays as it was.
 * `isNew`: what was connected before isn't there any more. What can't be done stops no `up`.
 */
export async function connectGit(
  run: UpRun,
  machine: string,
  { isNew }: { readonly isNew: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { entry, params, deps } = run;
  const before = entry.record.gitCredentials;
  const wanted = (params.gitCredentials ?? before) === true ? true : undefined;
  if (wanted !== before)
    await deps.workspaces.rewrite(entry, { gitCredentials: wanted });
  if (wanted === undefined || isNew) deps.gitCredentials?.release(machine);
  if (wanted === undefined) return;
  await withDeadline(
    "connecting git in the guest",
    connectLimitMs,
    async () => deps.gitCredentials?.ensure(machine),
    signal,
  ).catch((error: unknown) => {
    signal.throwIfAborted();
    run.tell([
      `git in the VM can't ask this computer for credentials yet: ${toFailure(error).message}`,
    ]);
  });
}

/** By which the guest remembers them; see `due.ts`. */
export const dotfilesMark = "dotfiles";
