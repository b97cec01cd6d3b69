import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hasErrorCode, isMissing } from "../../base/files.ts";

export interface LockOwner {
  readonly pid: number;
  /** Opaque start mark of the process, so that a recycled pid is not taken for the owner. */
  readonly startTime: string;
}

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes a lock file for this process; undefined when a living process holds it.
 *
 * The file comes into being whole, by link(2), so nobody ever reads half an owner. A dead owner's file is first moved
 * aside: of two takers that both saw it, one moves it and the other finds it missing. If what was moved is not what
 * was seen (a third process was faster still), it is put back.
 */
export async function takeLock(
  path: string,
  owner: LockOwner,
  isAlive: (owner: LockOwner) => Promise<boolean>,
): Promise<Lock | undefined> {
  const token = randomUUID();
  const mine = `${path}.${token}`;
  await writeFile(mine, JSON.stringify({ ...owner, token }), { mode: 0o600 });
  try {
    for (let round = 0; round < 8; round++) {
      try {
        await link(mine, path);
        return { release: () => releaseLock(path, token) };
      } catch (error) {
        if (!hasErrorCode(error, "EEXIST")) throw error;
      }
      const seen = await readOwner(path);
      if (seen === undefined) continue;
      if (seen.owner !== undefined && (await isAlive(seen.owner)))
        return undefined;
      await removeStale(path, seen.text);
    }
    return undefined;
  } finally {
    await rm(mine, { force: true });
  }
}

async function removeStale(path: string, seenText: string): Promise<void> {
  const aside = `${path}.${randomUUID()}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  if ((await readFile(aside, "utf8")) !== seenText)
    await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function releaseLock(path: string, token: string): Promise<void> {
  const seen = await readOwner(path);
  if (seen?.text.includes(token) === true) await rm(path, { force: true });
}

async function readOwner(
  path: string,
): Promise<{ text: string; owner: LockOwner | undefined } | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  return { text, owner: parseOwner(text) };
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const value = JSON.parse(text) as Partial<LockOwner> | null;
    if (typeof value?.pid === "number" && typeof value.startTime === "string")
      return { pid: value.pid, startTime: value.startTime };
  } catch {
    // An unreadable lock file belongs to nobody.
  }
  return undefined;
}
