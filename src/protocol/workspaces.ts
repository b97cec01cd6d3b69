import * as z from "zod";
import { notice, request } from "./method.ts";

export const copyProgressSchema = z.object({
  machine: z.string(),
  files: z.number().int(),
  bytes: z.number(),
  done: z.boolean(),
});

export const workspaceMethods = {
  /** Copies a host folder into a running guest over SSH: `.git` and everything that .gitignore doesn't name. */
  "workspaces.copyIn": request(
    z.object({
      machine: z.string(),
      folder: z.string(),
      target: z.string().optional(),
    }),
    z.object({
      guestFolder: z.string(),
      files: z.number().int(),
      bytes: z.number(),
    }),
  ),
  /** Copies files or folders either way; exactly one side names a machine. */
  "workspaces.copy": request(
    z.object({
      machine: z.string(),
      direction: z.enum(["in", "out"]),
      source: z.string(),
      target: z.string(),
    }),
    z.object({ files: z.number().int(), bytes: z.number() }),
  ),
};

export const workspaceNotices = {
  "workspaces.copied": notice(copyProgressSchema),
};
