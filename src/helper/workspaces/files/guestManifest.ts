import { failed } from "../../../protocol/failure.ts";
import { shellCommand } from "../../ssh/quote.ts";
import type { ExecResult, SshSession } from "../../ssh/session.ts";
import { type GuestWorkspace, workspaceKey } from "../git/guestGit.ts";
import { packSent, type SentFile, unpackSent } from "./sent.ts";

/**
 * Keeps the list of what was copied into a guest's folder beside what `bringBack/guestScript.ts` keeps of it: on the
 * guest's disk, so that a roll back takes both back. It is named for the folder's inode and birth: one that was removed
 * and made anew holds nothing of it.
 */
const script = String.raw`
set -eu
umask 077
store=$HOME/.local/state/guesthouse/workspaces/$2
cd -- "$3"
list="$store/sent-$(stat -c %i-%W .)"
case $1 in
read) if [ -n "$(ls -A | head -n 1)" ] && [ -f "$list" ]; then cat "$list"; fi ;;
forget) rm -f "$store"/sent-* "$store/base" "$store/saved" ;;
write)
  mkdir -p "$store"
  cat >"$store/list.tmp"
  mv "$store/list.tmp" "$list"
  ;;
remove)
  xargs -0 sh -c 'for name; do
    if [ -d "$name" ] && [ ! -L "$name" ]; then rmdir -- "$name" 2>/dev/null || :; else rm -f -- "$name"; fi
  done' remove
  ;;
esac
`;

const run = (
  verb: "read" | "forget" | "write" | "remove",
  { session, folder }: GuestWorkspace,
  options: Parameters<SshSession["exec"]>[1],
  signal?: AbortSignal,
): Promise<ExecResult> =>
  session.exec(
    shellCommand([
      ...["sh", "-c", script, "guesthouse"],
      ...[verb, workspaceKey(folder), folder],
    ]),
    options,
    signal,
  );

/** What was copied into this folder and is recorded there; undefined when nothing is, or nothing that can be read. */
export async function readSent(
  workspace: GuestWorkspace,
  signal?: AbortSignal,
): Promise<SentFile[] | undefined> {
  const chunks: Buffer[] = [];
  const onStdout = (chunk: Buffer): void => void chunks.push(chunk);
  const { code } = await run("read", workspace, { onStdout }, signal);
  return code === 0 ? unpackSent(Buffer.concat(chunks)) : undefined;
}

/** From now on nothing is known of the folder: what begins now may be cut off. */
export async function forgetSent(
  workspace: GuestWorkspace,
  signal?: AbortSignal,
): Promise<void> {
  await run("forget", workspace, {}, signal);
}

/** Without it the next copy is a whole one: no reason for this one to fail. */
export async function writeSent(
  workspace: GuestWorkspace,
  files: readonly SentFile[],
  signal?: AbortSignal,
): Promise<void> {
  await run("write", workspace, { stdin: packSent(files) }, signal);
}

/** Removes files, and folders that are empty. Throws `ssh.transferFailed`. */
export async function removeInGuest(
  workspace: GuestWorkspace,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const stdin = names.map((name) => `./${name}\0`).join("");
  const { code, stderr } = await run("remove", workspace, { stdin }, signal);
  if (code !== 0)
    throw failed(
      "ssh.transferFailed",
      `Removing files in ${workspace.folder} in the guest failed: ${stderr.trim()}.`,
      { remedy: "Check that the folder may be written.", actions: ["retry"] },
    );
}
