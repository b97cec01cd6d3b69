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

/**
 * Keeps the user's word on whether git in the guest may ask this computer for credentials; without one it stays as it was. Done
 * before anything that can fail: taking it back counts at once.
 */
export async function noteGitConsent({
  entry,
  params,
  deps,
}: UpRun): Promise<void> {
  const { gitCredentials: before, made } = entry.record;
  const wanted = (params.gitCredentials ?? before) === true ? true : undefined;
  if (wanted === undefined && made !== undefined)
    deps.gitCredentials?.release(made.machine);
  if (wanted !== before)
    await deps.workspaces.rewrite(entry, { gitCredentials: wanted });
}

/** A guest that isn't connected by then is connected later. */
const connectLimitMs = 60_000;

/**
 * Connects git in the guest where its user said so. `isNew`: what was connected before isn't there any more. What can't be done
 * stops no `up`.
 */
export async function connectGit(
  { entry, deps, tell }: UpRun,
  machine: string,
  { isNew }: { readonly isNew: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (entry.record.gitCredentials === undefined) return;
  if (isNew) deps.gitCredentials?.release(machine);
  await withDeadline(
    "connecting git in the guest",
    connectLimitMs,
    async () => deps.gitCredentials?.ensure(machine),
    signal,
  ).catch((error: unknown) => {
    signal.throwIfAborted();
    tell([
      `git in the VM can't ask this computer for credentials yet: ${toFailure(error).message}`,
    ]);
  });
}

/** By which the guest remembers them; see `due.ts`. */
export const dotfilesMark = "dotfiles";
