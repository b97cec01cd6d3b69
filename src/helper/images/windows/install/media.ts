import { copyFile, chmod, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { given } from "../../../../base/given.ts";
import {
  hasErrorCode,
  isMissing,
  makePrivateFolder,
  replaceFile,
} from "../../../../base/files.ts";
import { refused } from "../../../../protocol/failure.ts";
import { createOverlay } from "../../../qemu/block.ts";
import { qemuImg } from "../../../qemu/qemuImg.ts";
import { ensureUserKey } from "../../../ssh/keys.ts";
import { verifyFile } from "../../../net/checksums.ts";
import { requireSpace } from "../../../store/diskSpace.ts";
import { download } from "../../../net/download.ts";
import { secureBootFirmware } from "../../disks/firmware.ts";
import { importDisk } from "../../disks/import.ts";
import type { OnProgress } from "../../golden/made.ts";
import { randomPassword } from "../answers/answers.ts";
import {
  answerMedium,
  mediumFiles,
  stepFiles,
  type StepsSpec,
} from "../answers/medium.ts";
import { makeNoPromptOverlay } from "../iso/noPrompt.ts";
import { readScriptSources } from "../steps/scripts.ts";
import type { InstallHost } from "./host.ts";
import {
  type DiskOrigin,
  installFiles,
  type InstallRecord,
  type IsoOrigin,
} from "./record.ts";

/**
 * Makes what the machine starts with: the medium of answers and steps, its disk, the firmware's variables, and what
 * setup starts from where that is to run. What an earlier try left is replaced. Throws `request.invalid` for what the user gave,
 * `images.digestMismatch`, `images.downloadFailed`, `host.diskFull`, `host.toolMissing`, and what `importDisk` throws.
 */
export async function prepareMedia(
  host: InstallHost,
  record: InstallRecord,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const files = installFiles(host.layout, record);
  onProgress({ stage: "prepare", detail: "the medium of its steps" });
  const firmware = await secureBootFirmware();
  for (const path of [files.disk, files.base, files.installer])
    await rm(path, { force: true });
  await rm(files.tpm.stateFolder, { recursive: true, force: true });
  const steps: Steps = {
    user: record.user,
    tpm: record.hardware.tpm,
    viosock: false,
    authorizedKeys: [(await ensureUserKey(host.layout.ssh)).publicKey],
    openSsh: await openSshBytes(host, record.openSsh, onProgress, signal),
  };
  const { origin } = record;
  if (origin.kind === "iso")
    await forSetup(host, { record, origin, steps }, signal);
  else await withWindows(host, { record, origin, steps }, onProgress, signal);
  await copyFile(firmware.variablesPath, files.variables);
  await chmod(files.variables, 0o600);
}

type Steps = Pick<
  StepsSpec,
  "user" | "tpm" | "viosock" | "authorizedKeys" | "openSsh"
>;

interface MediaOf<Origin> {
  readonly record: InstallRecord;
  readonly origin: Origin;
  readonly steps: Steps;
}

/** An empty disk, the overlay above the ISO, and answers with a password that nobody else ever knows. */
async function forSetup(
  { layout, resources, openSsh, roomBytes, diskBytes }: InstallHost,
  { record, origin, steps }: MediaOf<IsoOrigin>,
  signal: AbortSignal,
): Promise<void> {
  const { path, edition, ...answers } = origin;
  const files = installFiles(layout, record);
  await requireSpace(files.folder, roomBytes, `Installing ${edition.name}`);
  const medium = mediumFiles(
    {
      ...answers,
      ...steps,
      architecture: "amd64",
      editionIndex: edition.index,
      ...given({ editionId: edition.editionId }),
      password: randomPassword(),
    },
    await readScriptSources(resources),
    openSsh,
  );
  await replaceFile(files.answers, answerMedium(medium));
  await makeNoPromptOverlay(path, files.installer, signal);
  await qemuImg(
    ["create", "-q", "-f", "qcow2", files.disk, String(diskBytes)],
    signal,
  );
}

/** The user's disk, taken over as every disk from elsewhere, below one that is written to, and steps without answers. */
async function withWindows(
  { layout, resources, openSsh }: InstallHost,
  { record, origin, steps }: MediaOf<DiskOrigin>,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const { path, checksum } = origin;
  const files = installFiles(layout, record);
  const medium = stepFiles(
    {
      ...steps,
      // Whatever it has and is: it says so itself.
      ...{ computerName: "", language: "", driverSystems: [] },
      preparation: record.id,
    },
    await readScriptSources(resources),
    openSsh,
  );
  await replaceFile(files.answers, answerMedium(medium));
  await importDisk(
    {
      ...{ name: record.name, source: path, target: files.base },
      ...{ checksum, os: "windows" },
    },
    onProgress,
    signal,
  );
  // Whatever fails later, nothing has to be converted again; and what it writes is seen to grow.
  await createOverlay({ path: files.disk, backingPath: files.base }, signal);
}

/** The package as the user gave it, as an earlier installation fetched it, or fetched now; checked by the medium. */
async function openSshBytes(
  { layout, http, openSsh }: InstallHost,
  given: string | undefined,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Buffer> {
  if (given !== undefined) return readGiven(given);
  const folder = join(layout.cache, "windows");
  const path = join(folder, `${openSsh.sha256.slice(0, 16)}-${openSsh.file}`);
  const expected = { algorithm: "sha256", hex: openSsh.sha256 } as const;
  await makePrivateFolder(folder);
  const kept = await verifyFile(
    { path, expected, what: openSsh.file },
    undefined,
    signal,
  )
    .then(() => true)
    .catch(() => false);
  signal.throwIfAborted();
  if (!kept)
    await download(
      http,
      { url: openSsh.url, path, expected },
      onProgress,
      signal,
    );
  return readFile(path);
}

async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error) || hasErrorCode(error, "EISDIR"))
      throw refused("request.invalid", `There is no file ${path}.`, {
        remedy: "Give the path of the OpenSSH package.",
      });
    throw error;
  }
}
