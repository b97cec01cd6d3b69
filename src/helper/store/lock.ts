import { randomUUID } from "node:crypto";
import {
  link,
  mkdir,
  readFile,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import * as z from "zod";
import { sleep } from "../../base/deadline.ts";
import { hasErrorCode, isMissing } from "../../base/files.ts";

const ownerSchema = z.object({
  pid: z.number(),
  /** Opaque start mark of the process, so that a recycled pid is not taken for the owner. */
  startTime: z.string(),
});
export type LockOwner = Readonly<z.infer<typeof ownerSchema>>;

export interface Lock {
  release(): Promise<void>;
}

const rounds = 100;
const pauseMs = 20;
const abandonedMs = 10_000;

/**
 * Takes a lock file for this process; undefined when a living process holds it.
 *
 * The file comes into being whole, by link(2), so nobody ever reads half an owner. Removing a dead owner's file is the
 * dangerous step: a slow taker might remove the lock of a faster one. So only the holder of a guard folder, of which
 * there can be one, removes, and only after it has read the dead owner once more.
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
    for (let round = 0; round < rounds; round++) {
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
  const guard = `${path}.guard`;
  try {
    await mkdir(guard, { mode: 0o700 });
  } catch (error) {
    if (!hasErrorCode(error, "EEXIST")) throw error;
    await removeAbandoned(guard);
    await sleep(pauseMs);
    return;
  }
  try {
    if ((await readOwner(path))?.text === seenText)
      await rm(path, { force: true });
  } finally {
    await rmdir(guard).catch(() => undefined);
  }
}

/** A taker that was killed inside the guard, which is held for milliseconds, must not bar the way for ever. */
async function removeAbandoned(guard: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(guard);
    if (Date.now() - mtimeMs > abandonedMs) await rmdir(guard);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
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
    return ownerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    // An unreadable lock file belongs to nobody.
    return undefined;
  }
}
