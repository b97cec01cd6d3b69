import { resolve } from "node:path";
import type { Command } from "commander";
import { repositoryUrlSchema } from "../../../protocol/branches.ts";
import { refused } from "../../../protocol/failure.ts";
import { visible } from "../../../base/visible.ts";
import type { Session } from "../terminal/session.ts";

export interface PlaceFlags {
  readonly config?: string;
  readonly branch?: string;
  readonly createBranch?: boolean;
}

/** What the methods for workspaces know one by. */
export interface Place {
  readonly folder: string;
  readonly config?: string;
  readonly branch?: string;
}

export const placeHelp = "or a repository's URL; default: this folder";
export const discardHelp = "even if it holds work that is nowhere else";

/** The options that tell a folder's workspaces from each other. */
export const addPlaceOptions = (command: Command): Command =>
  command
    .option("--config <path>", "which devcontainer.json, by path or name")
    .option(
      "--branch <name>",
      "that branch of the folder's repository, instead of the folder as it is",
    );

/**
 * The workspace that a command line means: a folder, a branch of it, or a repository by its URL, which may be
 * cloned for it, or fetched.
 */
export async function placeOf(
  session: Session,
  place: string,
  { config, branch, createBranch }: PlaceFlags,
  how: "find" | "clone" | "fetch" = "find",
): Promise<Place> {
  const { client, progress, signal } = session;
  const which = config === undefined ? {} : { config };
  if (createBranch === true && branch === undefined)
    throw refused("request.invalid", "--create-branch needs --branch.", {
      remedy: "Give the branch's name with --branch.",
    });
  if (!meansUrl(place)) {
    const folder = resolve(place);
    if (branch === undefined) return { folder, ...which };
    if (createBranch === true)
      await client.call("branches.create", { folder, branch }, signal);
    return { folder, branch, ...which };
  }
  const checked = repositoryUrlSchema.safeParse(place);
  if (!checked.success)
    throw refused(
      "request.invalid",
      `“${visible(place)}” can't be cloned: ${checked.error.issues[0]?.message ?? ""}.`,
      {
        remedy:
          "Give https://…, ssh://…, user@host:path or file:///…; a password belongs to git's credential helper.",
      },
    );
  client.onNotice("branches.fetching", ({ url, text }) => {
    if (url === place) progress.show(text);
  });
  const cloned = await client.call(
    "branches.clone",
    {
      url: place,
      how,
      ...(branch === undefined || createBranch === true ? {} : { branch }),
    },
    signal,
  );
  if (createBranch === true && branch !== undefined) {
    const { folder } = cloned;
    await client.call("branches.create", { folder, branch }, signal);
    return { folder, branch, ...which };
  }
  return { ...cloned, ...which };
}

/** A folder may be called like anything, when it is given by a path. Pure. */
export const meansUrl = (text: string): boolean =>
  /^[a-z][a-z0-9+.-]*:(?:\/\/|:)/i.test(text) ||
  /^[^/\\\s]+@[^/\\]+:/.test(text);

/** The option that names a workspace's branch again. */
export const branchText = ({
  branch,
}: {
  readonly branch?: string | undefined;
}): string => (branch === undefined ? "" : ` --branch ${visible(branch)}`);
