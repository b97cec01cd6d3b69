import { readdir } from "node:fs/promises";
import * as z from "zod";
import { makePrivateFolder } from "../../base/files.ts";
import { readJson, writeJson } from "../../base/jsonFile.ts";
import { filesWays } from "../../protocol/filesWays.ts";
import { workspaceStateSchema } from "../../protocol/workspaces.ts";
import type { Layout } from "./layout.ts";

/** What is kept of a folder that was brought up, with or without a VM: mainly the name that it has for ever. */
export const workspaceRecordSchema = z.object({
  format: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  folder: z.string(),
  config: z.string().optional(),
  /** Of the folder's repository; without one the folder goes in as it is. */
  branch: z.string().optional(),
  /** The folder is a clone of this. */
  url: z.string().optional(),
  title: z.string(),
  /** Of its machines, one after the other; their alias follows from it. */
  name: z.string(),
  alias: z.string(),
  /** The present machine and what it was made from; it may have been deleted by other ways. */
  made: z
    .object({
      machine: z.string(),
      user: z.string(),
      /** Where the copy lies in the guest, and what is opened of it. */
      target: z.string(),
      workspaceFolder: z.string(),
      /** A folder of the host that is mounted at `target`; absent: it was copied there. */
      share: z
        .object({ folder: z.string(), readonly: z.boolean() })
        .or(z.undefined())
        .optional(),
      /** Other folders of the host that are mounted for its containers, and where. */
      hostShares: z
        .array(
          z.object({
            folder: z.string(),
            target: z.string(),
            readonly: z.boolean(),
          }),
        )
        .or(z.undefined())
        .optional(),
      /** Of what the file says of the machine itself. */
      shapeDigest: z.string(),
      /** Its features: reference → digest. What moves on meanwhile comes with a rebuild. */
      features: z.record(z.string(), z.string()).or(z.undefined()).optional(),
      /** The dev container in the VM; absent: the VM is what the user works in. */
      container: z
        .object({
          /** The engine's id of it. */
          id: z.string(),
          user: z.string(),
          home: z.string(),
          /** Of its last start, in the form of a boot's id. */
          startId: z.string(),
          /** Of the file that it was made from. */
          digest: z.string(),
          /** What the reference implementation made of the file: commands, environment, the editor's part. */
          merged: z.record(z.string(), z.unknown()),
        })
        .or(z.undefined())
        .optional(),
      /** That the editor is to install there. */
      extensions: z.array(z.string()).optional(),
    })
    .or(z.undefined())
    .optional(),
  /** The user's word that git in it may ask this computer for credentials. */
  gitCredentials: z.literal(true).or(z.undefined()).optional(),
  /** What becomes of its machine when the last connection has ended; absent: it goes on. */
  afterUse: z.enum(["stop", "delete"]).or(z.undefined()).optional(),
  /** The user's word on paths of this computer that containers of it may see; other paths are asked for again. */
  hostPaths: z
    .object({
      wish: z.enum(["empty", ...filesWays]),
      paths: z.array(z.string()),
    })
    .or(z.undefined())
    .optional(),
  /** Of the file, when it was last brought up. */
  fileDigest: z.string().or(z.undefined()).optional(),
  /** How that ended, unless well. */
  failed: workspaceStateSchema.options[3].or(z.undefined()).optional(),
});
export type WorkspaceRecord = z.infer<typeof workspaceRecordSchema>;

/** Every record that can be read; a broken one is as good as none, since a folder is found again by its path. */
export async function readWorkspaces(
  layout: Layout,
): Promise<WorkspaceRecord[]> {
  await makePrivateFolder(layout.workspaces);
  const records: WorkspaceRecord[] = [];
  for (const name of await readdir(layout.workspaces)) {
    const id = /^([0-9a-f]{16})\.json$/.exec(name)?.[1];
    if (id === undefined) continue;
    const read = await readJson(layout.workspace(id).record, (value) =>
      workspaceRecordSchema.parse(value),
    );
    if (read.kind === "read") records.push(read.value);
  }
  return records;
}

export const writeWorkspace = (
  layout: Layout,
  record: WorkspaceRecord,
): Promise<void> => writeJson(layout.workspace(record.id).record, record);
