import * as z from "zod";
import { unsavedWorkSchema } from "./machines.ts";
import { request } from "./method.ts";

export const bringBackFormSchema = z.discriminatedUnion("kind", [
  /** Commits on a branch of the host's repository; default `guesthouse/<machine>`. Nothing is checked out. */
  z.object({ kind: z.literal("branch"), branch: z.string().optional() }),
  /** One patch of all that differs from what was copied in, for `git apply`. `file` is absolute and replaced. */
  z.object({ kind: z.literal("patch"), file: z.string() }),
  /** The changed files themselves, written into `folder` (absolute); without one they are listed only. */
  z.object({ kind: z.literal("files"), folder: z.string().optional() }),
]);

export const changedFileSchema = z.object({
  name: z.string(),
  how: z.enum(["added", "changed", "deleted"]),
});

const branchesSchema = z.array(
  z.object({ branch: z.string(), commit: z.string() }),
);

const besideSchemas = {
  /** Repositories inside of it, submodules among them, whose work came as well. */
  inner: z
    .array(z.object({ repository: z.string(), branches: branchesSchema }))
    .optional(),
  /** Folders of repositories inside of it whose work stays in the guest: this computer has none there, or its branch can't move. */
  left: z.array(z.string()).optional(),
  /** Plain sentences that the user should read once. */
  notes: z.array(z.string()).optional(),
};

export const broughtBackSchema = z.discriminatedUnion("kind", [
  /** Nothing differs from what was copied in. */
  z.object({ kind: z.literal("nothing") }),
  z.object({
    kind: z.literal("branch"),
    repository: z.string(),
    /** The work itself first, then the guest's other branches and stashes. */
    branches: branchesSchema,
    ...besideSchemas,
  }),
  z.object({ kind: z.literal("patch"), file: z.string(), bytes: z.number() }),
  z.object({
    kind: z.literal("files"),
    files: z.array(changedFileSchema),
    /** Where they were written; absent when they were only listed. */
    folder: z.string().optional(),
    ...besideSchemas,
  }),
]);

/** Bringing work back out of a copied workspace. */
export const bringBackMethods = {
  /** Brings work out of the folder that was copied into a machine; the guest's repository stays as it is. */
  "bringBack.run": request(
    z.object({ machine: z.string(), way: bringBackFormSchema }),
    z.object({ brought: broughtBackSchema }),
  ),
  /** Asks a running guest what work of its workspace is nowhere else. */
  "bringBack.unsaved": request(
    z.object({ machine: z.string() }),
    z.object({ work: unsavedWorkSchema }),
  ),
};
