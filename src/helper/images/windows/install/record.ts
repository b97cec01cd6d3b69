import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { makePrivateFolder, namesIn } from "../../../../base/files.ts";
import {
  type JsonRead,
  readJson,
  writeJson,
} from "../../../../base/jsonFile.ts";
import type { Log } from "../../../../base/log.ts";
import { failureSchema } from "../../../../protocol/failure.ts";
import { imageReportSchema } from "../../../../protocol/images.ts";
import type { InstallFiles, Layout } from "../../../store/layout.ts";

/**
 * `install.json`: the decision that Windows is to be installed, or that a disk with it is to be prepared, and how far that
 * is. As long as it is there a helper goes on with it, and no secret is in it.
 */
const installRecordSchema = z.object({
  version: z.literal(2),
  /** Of the image. */
  name: z.string(),
  /** Names the sockets. */
  id: z.string().regex(/^[0-9a-f]{8}$/),
  startedAt: z.iso.datetime(),
  origin: z.discriminatedUnion("kind", [
    /** An installation ISO, and what of it is installed. */
    z.object({
      kind: z.literal("iso"),
      path: z.string(),
      edition: z.object({
        index: z.int(),
        name: z.string(),
        editionId: z.string().optional(),
        version: z.string().optional(),
      }),
      language: z.string(),
      computerName: z.string(),
      driverSystems: z.array(z.string()),
    }),
    /** A disk that has Windows on it already, and is prepared. */
    z.object({
      kind: z.literal("disk"),
      path: z.string(),
      /** `qcow2`, `vhdx`, … */
      format: z.string(),
      /** Of the file, where the user gave one. */
      checksum: z.string().optional(),
      /** Files with which `user` logs in over SSH where no agent answers: they are read when they are needed. */
      login: z
        .object({
          passwordFile: z.string().optional(),
          keyFile: z.string().optional(),
        })
        .optional(),
    }),
  ]),
  /** Of the account that machines log in to. */
  user: z.string(),
  drivers: z.string(),
  /** A file with the OpenSSH package; absent where it is downloaded. */
  openSsh: z.string().optional(),
  hardware: z.object({
    uuid: z.string(),
    macAddress: z.string(),
    vmGenerationId: z.string(),
    cpus: z.int(),
    memoryMiB: z.int(),
    /** Without one, setup's check for it is bypassed. */
    tpm: z.boolean(),
  }),
  /**
   * `preparing`: media and disk are made, anew after a crash; `installing`: the machine runs; `keeping`: the disk at
   * rest becomes an image; `failed`: only this record is left, and what it says.
   */
  phase: z.enum(["preparing", "installing", "keeping", "failed"]),
  /** How often QEMU was started for it. */
  launches: z.int(),
  /** Of this host, for the guest's port 22; where SSH may be needed. */
  sshPort: z.int().optional(),
  /** Restarts of setup that were seen. */
  restarts: z.int(),
  /** What Windows' scripts verified; from `keeping` on. */
  report: imageReportSchema.optional(),
  failure: failureSchema.optional(),
});
export type InstallRecord = z.infer<typeof installRecordSchema>;
type Origin = InstallRecord["origin"];
export type IsoOrigin = Extract<Origin, { kind: "iso" }>;
export type DiskOrigin = Extract<Origin, { kind: "disk" }>;

export const installFiles = (
  layout: Layout,
  { name, id }: Pick<InstallRecord, "name" | "id">,
): InstallFiles => layout.install(name, id);

export async function writeInstall(
  layout: Layout,
  record: InstallRecord,
): Promise<InstallRecord> {
  const files = installFiles(layout, record);
  await makePrivateFolder(files.folder);
  await writeJson(files.record, record);
  return record;
}

/**
 * What earlier helpers began and didn't end, by name; for the start of a helper. A folder without a record is what a
 * cancelled one was still about to remove. One that can't be read is left as it is, and told in the log.
 */
export async function readInstalls(
  layout: Layout,
  log: Log,
): Promise<InstallRecord[]> {
  const records: InstallRecord[] = [];
  for (const name of await namesIn(layout.installs)) {
    const read = await readRecord(layout, name);
    if (read.kind === "read") records.push(read.value);
    else if (read.kind === "missing")
      await rm(join(layout.installs, name), { recursive: true, force: true });
    else
      log.error("an installation of Windows is left alone: no record", {
        image: name,
        reason: read.reason,
      });
  }
  return records;
}

/** The record as it is now; undefined when the installation has come to its end. */
export async function readInstall(
  layout: Layout,
  name: string,
): Promise<InstallRecord | undefined> {
  const read = await readRecord(layout, name);
  return read.kind === "read" ? read.value : undefined;
}

const readRecord = (
  layout: Layout,
  name: string,
): Promise<JsonRead<InstallRecord>> =>
  readJson(layout.install(name, "").record, (value) => {
    const record = installRecordSchema.parse(value);
    if (record.name !== name) throw new Error(`it is of ${record.name}`);
    return record;
  });
