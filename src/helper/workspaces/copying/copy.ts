import { stat } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { sleep } from "../../../base/deadline.ts";
import { hasErrorCode } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import { GuesthouseError, failed, refused } from "../../../protocol/failure.ts";
import { shellQuote } from "../../ssh/quote.ts";
import type { ExecResult, SshCommand, SshSession } from "../../ssh/session.ts";
import { transferFailed } from "../../ssh/transfer.ts";
import type { GuestWorkspace } from "../git/guestGit.ts";
import { listAll } from "../files/fileList.ts";
import { packInto, type CopyProgress, type PackEntry } from "../files/pack.ts";
import { unpackFrom } from "../files/unpack.ts";

/** -o: files belong to who copies them, also for root; -p: modes as they are here, whatever the umask. */
export const untar = "tar -x -o -p";

export type OnProgress = (progress: CopyProgress) => void;

/** From one side to the other. */
export interface PathCopy {
  readonly source: string;
  readonly target: string;
}

/** Copies a file or a whole folder in, named as with cp(1): into `target` when that is a folder there, else as it. */
export async function copyPathIn(
  session: SshSession,
  { source, target }: PathCopy,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  await requireOnHost(source);
  const place = atHome(target);
  const inside =
    place === "." ||
    place.endsWith("/") ||
    (await isGuestFolder(session, place, signal));
  const folder = inside ? place : posix.dirname(place);
  const name = inside ? basename(source) : posix.basename(place);
  const entries = await entriesOf(source, name, signal);
  const guestFolder = await makeGuestFolder(session, folder, signal);
  return send({ session, folder: guestFolder }, entries, onProgress, signal);
}

/** A path of the host and all that is below it, to be called `name` in the guest. */
export async function entriesOf(
  source: string,
  name: string,
  signal?: AbortSignal,
): Promise<PackEntry[]> {
  const entries: PackEntry[] = [{ local: source, name }];
  if ((await stat(source)).isDirectory())
    for (const below of await listAll(source, signal))
      entries.push({
        local: join(source, below),
        name: posix.join(name, below),
      });
  return entries;
}

/** Said before the guest is asked for anything. */
export async function requireOnHost(source: string): Promise<void> {
  const found = await stat(source).catch(() => undefined);
  if (found === undefined)
    throw refused("request.invalid", `There is no ${source} on this host.`, {
      remedy: "Check the path.",
    });
}

/** Copies a file or a whole folder out, named as with cp(1). What exists on the host is overwritten. */
export async function copyPathOut(
  session: SshSession,
  { source, target }: PathCopy,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  const place = atHome(source).replace(/(.)\/+$/, "$1");
  const found = await stat(target).catch(() => undefined);
  const inside = found?.isDirectory() === true;
  const from = shellQuote(posix.dirname(place));
  const what = shellQuote(`./${posix.basename(place)}`);
  const command = await session.start(`tar -c -f - -C ${from} ${what}`, signal);
  command.stdin.end();
  return transfer(
    command,
    `${source} from the guest`,
    unpackFrom(
      command.stdout,
      inside
        ? { folder: target }
        : { folder: dirname(target), rename: basename(target) },
      paced(onProgress),
      signal,
    ),
    signal,
  );
}

/** Unpacks a tar stream of these entries in a folder of the guest. Throws `ssh.transferFailed`. */
export async function send(
  { session, folder }: GuestWorkspace,
  entries: readonly PackEntry[],
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  const command = await session.start(
    `${untar} -f - -C ${shellQuote(folder)}`,
    signal,
  );
  command.stdout.resume();
  return transfer(
    command,
    `files to ${folder} in the guest`,
    packInto(command.stdin, entries, paced(onProgress), signal),
    signal,
  );
}

/** Time for tar's last words after the stream to or from it broke. */
const lastWordsMs = 1_000;

/** When tar fails over there, the stream breaks over here: what tar said is the cause. */
async function transfer(
  command: SshCommand,
  what: string,
  stream: Promise<CopyProgress>,
  signal?: AbortSignal,
): Promise<CopyProgress> {
  try {
    const copied = await stream;
    const result = await command.ended;
    if (result.code !== 0) throw tarFailed(what, result);
    return copied;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof GuesthouseError) throw error;
    const result = await Promise.race([
      command.ended.catch(() => undefined),
      sleep(lastWordsMs).then(() => undefined),
    ]);
    if (result !== undefined && result.code !== 0)
      throw tarFailed(what, result);
    throw isOurs(error) ? error : transferFailed(what, error);
  } finally {
    command.stop();
  }
}

/** A full disk or a missing permission on this side says so by itself. */
const isOurs = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT", "EACCES", "EPERM"].some((code) =>
    hasErrorCode(error, code),
  );

const tarFailed = (what: string, result: ExecResult): GuesthouseError =>
  failed(
    "ssh.transferFailed",
    `Copying ${what} failed: ${result.stderr.trim() || `tar ended with ${String(result.code)}`}.`,
    {
      remedy:
        "Check that the path exists, may be read and written, and that the disks have room.",
      actions: ["retry"],
    },
  );

/** The guest's shell starts in the user's home, so a relative path means just that. */
const atHome = (path: string): string =>
  path === "~" || path === "" ? "." : path.replace(/^~\//, "");

export async function makeGuestFolder(
  session: SshSession,
  target: string,
  signal?: AbortSignal,
): Promise<string> {
  const folder = shellQuote(atHome(target));
  const result = await session.exec(
    `mkdir -p -- ${folder} && cd -- ${folder} && pwd`,
    {},
    signal,
  );
  if (result.code !== 0) throw tarFailed(`to ${target} in the guest`, result);
  const path = result.stdout.trim();
  if (path.startsWith("/")) return path;
  const stderr = `the guest calls the folder “${visible(path.slice(0, 100))}”`;
  throw tarFailed(`to ${target} in the guest`, { ...result, stderr });
}

async function isGuestFolder(
  session: SshSession,
  path: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const { code } = await session.exec(
    `test -d ${shellQuote(path)}`,
    {},
    signal,
  );
  return code === 0;
}

const progressEveryMs = 150;

/** Progress is for readers: a notice for each of ten thousand files would be noise. */
export function paced(onProgress: OnProgress): OnProgress {
  let lastMs = -Infinity;
  return (progress) => {
    const now = performance.now();
    if (now - lastMs < progressEveryMs) return;
    lastMs = now;
    onProgress(progress);
  };
}
