import { refused } from "../../protocol/failure.ts";
import type { GuestSystem, Image, ImageSource } from "../../protocol/images.ts";
import { systems } from "../guests/programs/systems.ts";
import { readManifest } from "./archive/archive.ts";
import { type ArchiveImport, importArchive } from "./archive/importArchive.ts";
import { importName } from "./catalog/importName.ts";
import { type DiskIntent, prepareDisk } from "./catalog/make.ts";
import type { StoredImage } from "./golden/store.ts";
import type { Work } from "./jobs/jobs.ts";
import { type ImagesRoom, runAndTell } from "./room.ts";
import { takeInWindowsDisk } from "./windows/importDisk.ts";

export interface ImportOptions {
  readonly path: string;
  /** Default: from the file's name. */
  readonly name?: string | undefined;
  /** `sha256:…` or `sha512:…` of the file. */
  readonly checksum?: string | undefined;
  /** User that machines log in as. Default: `guest`; of Windows it must be told, as it is there already. */
  readonly user?: string | undefined;
  /** Default: Linux. */
  readonly os?: GuestSystem | undefined;
  /** See `images.import` of the contract. */
  readonly generalized?: boolean | undefined;
}

/** See `Images.importFile`. */
export async function importImage(
  room: ImagesRoom,
  options: ImportOptions,
  signal?: AbortSignal,
): Promise<Image> {
  const { ledger, installs } = room;
  const { path, name: wanted } = options;
  requireSensible(options);
  const manifest = await readManifest(path);
  const name = importName(wanted ?? manifest?.name, path);
  // What could not be prepared is what is imported as it is, then.
  await installs.forget(name);
  if (
    ledger.known(name) &&
    !renews(ledger.storedAs(name)?.record.source, manifest?.source)
  )
    throw refused("images.exists", `There is an image “${name}” already.`, {
      remedy: "Give the import another name, or delete that image first.",
    });
  await runAndTell(
    room,
    { name, kind: "import" },
    manifest === undefined
      ? fromDisk(room, name, options)
      : fromArchive(room, { ...options, name, manifest }),
    signal,
  );
  return ledger.recordOf(name);
}

function requireSensible(options: ImportOptions): void {
  const { os = "linux", user, generalized } = options;
  const { can } = systems[os];
  if (!can.seed && user === undefined)
    throw refused(
      "request.invalid",
      "Whose account of Windows machines log in to must be said.",
      { remedy: "Give it with --user; it must be an administrator's." },
    );
  if (generalized === true && can.seed)
    throw refused(
      "request.invalid",
      "Only disks with Windows are generalized.",
      {
        remedy: "Leave it out: every clone of Linux gets a seed.",
      },
    );
}

/** Whether what comes is another prebuild of the same inputs, which takes the place of what is here. */
const renews = (
  present: ImageSource | undefined,
  coming: ImageSource | undefined,
): boolean =>
  present?.kind === "prebuild" &&
  coming?.kind === "prebuild" &&
  present.key === coming.key;

function fromDisk(
  { architecture, maker }: Pick<ImagesRoom, "architecture" | "maker">,
  name: string,
  { path, checksum, user, os = "linux", generalized = false }: ImportOptions,
): Work<StoredImage> {
  const disk = { source: path, checksum };
  const intent: DiskIntent = {
    name,
    title: name,
    architecture,
    // ARM machines have no other firmware; PCs have a choice, which the disk decides.
    ...(architecture === "arm64" ? { firmware: "uefi" } : {}),
    defaultUser: user ?? "guest",
    expectedBootSeconds: importedBootSeconds,
    source: (format) => ({ kind: "imported", path, format }),
  };
  return systems[os].can.prepare
    ? (...within) => prepareDisk(maker, { ...intent, disk }, ...within)
    : (...within) =>
        takeInWindowsDisk(maker, { ...intent, generalized, disk }, ...within);
}

const fromArchive =
  (
    { maker, ledger }: Pick<ImagesRoom, "maker" | "ledger">,
    archive: ArchiveImport,
  ): Work<StoredImage> =>
  async (...within) => {
    const made = await importArchive(maker, archive, ...within);
    await ledger.dropSuperseded(archive.name);
    return made;
  };

/** Of a disk that nobody here knows. */
const importedBootSeconds = 40;
