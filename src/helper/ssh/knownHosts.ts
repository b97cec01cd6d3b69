import { dirname } from "node:path";
import {
  makePrivateFolder,
  readIfPresent,
  replaceFile,
} from "../../base/files.ts";
import { KeyedMutex } from "../../base/mutex.ts";
import { publicKeyBody } from "./keys.ts";

/** One writer at a time per file. One helper owns a data folder, so a lock inside the process is enough (B19). */
const writers = new KeyedMutex();

/**
 * Makes `publicKey` the one key of `alias` in our known_hosts (0600 in a 0700 folder). Idempotent; lines of other
 * machines stay as they are (B23). The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".
 */
export function pinHostKey(
  knownHostsPath: string,
  alias: string,
  publicKey: string,
): Promise<void> {
  const { type, base64 } = publicKeyBody(publicKey);
  return rewrite(knownHostsPath, (lines) => [
    ...lines.filter((line) => aliasOf(line) !== alias),
    `${alias} ${type} ${base64}`,
  ]);
}

/** Removes every line of `alias`. */
export const unpinHost = (
  knownHostsPath: string,
  alias: string,
): Promise<void> =>
  rewrite(knownHostsPath, (lines) =>
    lines.filter((line) => aliasOf(line) !== alias),
  );

/** The pinned key of `alias` as `type base64`, or undefined. */
export async function pinnedHostKey(
  knownHostsPath: string,
  alias: string,
): Promise<string | undefined> {
  const text = (await readIfPresent(knownHostsPath)) ?? "";
  const line = text.split("\n").find((each) => aliasOf(each) === alias);
  return line?.slice(alias.length + 1);
}

const aliasOf = (line: string): string | undefined => line.split(" ", 1)[0];

function rewrite(
  path: string,
  change: (lines: string[]) => string[],
): Promise<void> {
  return writers.run(path, async () => {
    const before = await readIfPresent(path);
    const lines = (before ?? "").split("\n").filter((line) => line !== "");
    const after = change(lines)
      .map((line) => `${line}\n`)
      .join("");
    if (after === before) return;
    await makePrivateFolder(dirname(path));
    await replaceFile(path, after);
  });
}
