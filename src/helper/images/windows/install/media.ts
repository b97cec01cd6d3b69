import { copyFile, chmod, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  hasErrorCode,
  isMissing,
  makePrivateFolder,
  replaceFile,
} from "../../../../base/files.ts";
import { refused } from "../../../../protocol/failure.ts";
import { qemuImg } from "../../../qemu/qemuImg.ts";
import { ensureUserKey } from "../../../ssh/keys.ts";
import { verifyFile } from "../../checksums.ts";
import { requireSpace } from "../../diskSpace.ts";
import { download } from "../../download.ts";
import { secureBootFirmware } from "../../firmware.ts";
import type { OnProgress } from "../../made.ts";
import { randomPassword } from "../answerFile.ts";
import { answerMedium, mediumFiles } from "../medium.ts";
import { makeNoPromptOverlay } from "../noPrompt.ts";
import { readScriptSources } from "../scripts.ts";
import type { InstallHost } from "./host.ts";
import { type InstallRecord, installFiles } from "./record.ts";

/**
 * Makes what the machine starts with: the answer medium with a password that nobody else ever knows, the overlay above
 * the ISO, an empty disk, the firmware's variables. What an earlier try left is replaced. Throws `request.invalid` for
 * what the user gave, `images.digestMismatch`, `images.downloadFailed`, `host.diskFull`, `host.toolMissing`.
 */
export async function prepareMedia(
  host: InstallHost,
  record: InstallRecord,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const { layout, resources } = host;
  const files = installFiles(layout, record);
  onProgress({ stage: "prepare", detail: "the answer medium" });
  await requireSpace(
    files.folder,
    host.roomBytes,
    `Installing ${record.plan.edition.name}`,
  );
  const firmware = await secureBootFirmware();
  const openSsh = await openSshBytes(host, record.openSsh, onProgress, signal);
  for (const path of [files.disk, files.installer])
    await rm(path, { force: true });
  await rm(files.tpm.stateFolder, { recursive: true, force: true });

  const { edition, ...answers } = record.plan;
  const { publicKey } = await ensureUserKey(layout.ssh);
  const medium = mediumFiles(
    {
      ...answers,
      architecture: "amd64",
      editionIndex: edition.index,
      ...(edition.editionId === undefined
        ? {}
        : { editionId: edition.editionId }),
      password: randomPassword(),
      tpm: record.hardware.tpm,
      viosock: false,
      authorizedKeys: [publicKey],
      openSsh,
    },
    await readScriptSources(resources),
    host.openSsh,
  );
  await replaceFile(files.answers, answerMedium(medium));
  await makeNoPromptOverlay(record.iso, files.installer, signal);
  await qemuImg(
    [
      ...["create", "-q", "-f", "qcow2", files.disk],
      String(record.hardware.diskBytes),
    ],
    signal,
  );
  await copyFile(firmware.variablesPath, files.variables);
  await chmod(files.variables, 0o600);
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
  const kept = await verifyFile(path, expected, openSsh.file, undefined, signal)
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
