import * as z from "zod";
import { notice, request } from "./method.ts";

/**
 * Where a repository may be cloned from. No password: the URL goes into the guest. No `name::` transports, which run programs,
 * and nothing that git or ssh would take for an option.
 */
export const repositoryUrlSchema = z
  .string()
  .max(2048)
  .refine(isRepositoryUrl, {
    error: "no https, ssh or file URL, or it has a password in it",
  });

function isRepositoryUrl(text: string): boolean {
  if (/[\s\p{Cc}]/u.test(text)) return false;
  const [, scheme, authority = "", path = ""] =
    /^([a-z]+):\/\/([^/]*)(\/.+)$/.exec(text) ?? [];
  switch (scheme) {
    case "https":
    case "ssh":
      return /^(?:[\w.%+~-]+@)?(?:[a-z0-9][\w.-]*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(
        authority,
      );
    case "file":
      return authority === "" && path !== "/";
    case undefined:
      // As scp takes it: `git@host:path`.
      return /^[a-z0-9_][\w.+-]*@[a-z0-9][\w.-]*:[^-].*$/i.test(text);
    default:
      return false;
  }
}

const place = z.object({
  /** Absolute path on the host: a repository's top folder. */
  folder: z.string(),
  branch: z.string(),
});

/** The branches of repositories, of which each can have a VM, and repositories by URL. */
export const branchMethods = {
  /** The branches of a folder's repository: those here first, then those that only origin has. */
  "branches.list": request(
    place.omit({ branch: true }),
    z.object({
      branches: z.array(z.string()),
      /** The one that is checked out in the folder. */
      current: z.string().optional(),
    }),
  ),
  /** Makes a branch at HEAD, unless there is one; nothing is checked out. */
  "branches.create": request(place, z.object({ created: z.boolean() })),
  /**
   * Clones a repository into a folder of ours, where it is found again by its URL; with the host's git and
   * credentials, which never ask. Answers with what the other methods know it by. Nothing of it runs.
   */
  "branches.clone": request(
    z.object({
      url: repositoryUrlSchema,
      /** Default: the remote's. */
      branch: z.string().optional(),
      /**
       * `find` answers from what is there, and refuses when it was not cloned yet; `clone` (the default) clones that, and
       * fetches only when the branch is not known yet; `fetch` always does.
       */
      how: z.enum(["find", "clone", "fetch"]).optional(),
    }),
    place,
  ),
};

export const branchNotices = {
  /** What git says while it clones or fetches. */
  "branches.fetching": notice(z.object({ url: z.string(), text: z.string() })),
};
