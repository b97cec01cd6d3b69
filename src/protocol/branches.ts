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

/** A thing that *Clean Up* may take away. */
export const leftoverSchema = z.object({
  kind: z.enum(["workspace", "machine"]),
  /** Of the workspace, or of the machine. */
  id: z.string(),
  title: z.string(),
  folder: z.string().optional(),
  branch: z.string().optional(),
  url: z.string().optional(),
  machine: z.object({ id: z.string(), name: z.string() }).optional(),
  /** Why it may go; empty when nothing speaks for that. */
  why: z.array(z.enum(["folderGone", "machineGone", "unused"])),
  /** When its VM was last made, started or wrote to its disk; absent without a VM. */
  lastUsedAt: z.iso.datetime().optional(),
  running: z.boolean(),
  /** Of its VM's folder and its clone, really allocated; layers that others share are not counted. */
  bytes: z.number(),
});
export type Leftover = z.infer<typeof leftoverSchema>;

const place = z.object({
  /** Absolute path on the host: a repository's top folder. */
  folder: z.string(),
  branch: z.string(),
});

/** Several VMs of one repository, repositories by URL, and what is left of all that. */
export const branchMethods = {
  /** The branches of a folder's repository: those here first, then those that only origin has. */
  "workspaces.branches": request(
    place.omit({ branch: true }),
    z.object({
      branches: z.array(z.string()),
      /** The one that is checked out in the folder. */
      current: z.string().optional(),
    }),
  ),
  /** Makes a branch at HEAD, unless there is one; nothing is checked out. */
  "workspaces.createBranch": request(place, z.object({ created: z.boolean() })),
  /**
   * Clones a repository into a folder of ours, where it is found again by its URL; with the host's git and
   * credentials, which never ask. Answers with what the other methods know it by. Nothing of it runs.
   */
  "workspaces.clone": request(
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
  /** Every workspace, and every VM without one, with what speaks for taking it away. */
  "workspaces.leftovers": request(
    z.object({
      /** A VM that nobody used for so long counts as unused; default 30. */
      unusedDays: z.number().min(0).optional(),
    }),
    z.object({ leftovers: z.array(leftoverSchema) }),
  ),
  /**
   * Forgets a workspace, and deletes its VM and, with the last workspace of a clone, the clone. Refuses with
   * `machines.unsavedWork` where work would be lost, in the VM or in the clone.
   */
  "workspaces.delete": request(
    z.object({
      id: z.string().regex(/^[0-9a-f]{16}$/),
      discard: z.boolean().optional(),
    }),
    z.object({}),
  ),
};

export const branchNotices = {
  /** What git says while it clones or fetches. */
  "workspaces.fetching": notice(
    z.object({ url: z.string(), text: z.string() }),
  ),
  "workspaces.removed": notice(
    z.object({ id: z.string(), revision: z.number().int() }),
  ),
};
