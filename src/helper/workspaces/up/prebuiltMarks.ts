import type { SshSession } from "../../ssh/session.ts";
import { remember } from "../guest/linuxGuest.ts";
import type { WorkspaceLog } from "../guest/log.ts";
import type { Marks } from "./guestOfUp.ts";
import { contentDigest, contentOfMark } from "./content.ts";

/** The content that a clone of a prebuild began with, until this host's files were copied over it. */
export const filesCameWith = (marks: Marks): string | undefined =>
  contentOfMark(marks.get("files"));

/**
 * After the copy: `updateContentCommand` is to run again where the prebuild was made of other content than is here now. The
 * guest is told before its files count as copied, so that an `up` that is broken off in between says it again.
 */
export async function freshMarks(
  session: SshSession,
  { folder, marks }: { readonly folder: string; readonly marks: Marks },
  log: WorkspaceLog,
  signal: AbortSignal,
): Promise<Marks> {
  const before = filesCameWith(marks);
  if (before === undefined) return marks;
  if ((await contentDigest(folder, signal)) === before) return marks;
  log.note("the content has changed since the prebuild");
  const fresh = new Map(marks);
  for (const name of new Set(["updateContentCommand", ...marks.keys()])) {
    // Those of features, too.
    if (!name.startsWith("updateContentCommand")) continue;
    await remember(session, name, "stale", signal);
    fresh.set(name, "stale");
  }
  return fresh;
}
