import { chmod, copyFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { given } from "../../../../base/given.ts";
import { makePrivateFolder } from "../../../../base/files.ts";
import { bug } from "../../../../protocol/failure.ts";
import type { ImageReport, ImageSource } from "../../../../protocol/images.ts";
import { convertImage, imageInfo } from "../../../qemu/block.ts";
import { requireSpace } from "../../../store/diskSpace.ts";
import { inWorkFolder } from "../../golden/finish.ts";
import type { OnProgress } from "../../golden/made.ts";
import type { StoredImage } from "../../golden/store.ts";
import { reportOf } from "../../disks/validate.ts";
import {
  check,
  error,
  notApplicable,
  ok,
  warning,
} from "../../disks/verdict.ts";
import type { WindowsStep } from "../steps/steps.ts";
import type { InstallHost } from "./host.ts";
import { type InstallRecord, installFiles } from "./record.ts";
import type { InstallResults } from "./results.ts";

/** Packs the disk at rest and takes it into the store, with the firmware's variables that Windows wrote. */
export async function keepInstalled(
  { layout, store }: Pick<InstallHost, "layout" | "store">,
  {
    record,
    manifest,
  }: { readonly record: InstallRecord; readonly manifest: string },
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StoredImage> {
  const { name, origin, user, report } = record;
  if (report === undefined)
    throw bug(`Nothing was verified of the installation ${name}.`);
  const files = installFiles(layout, record);
  return inWorkFolder(layout, name, async (folder) => {
    const info = await imageInfo(files.disk, signal);
    const { actualSizeBytes: ofBase = 0 } = info.backing ?? {};
    const packedBytes = (info.actualSizeBytes + ofBase) / 2;
    await requireSpace(folder, packedBytes, `Keeping ${name}`);
    const finished = join(folder, "finished");
    await makePrivateFolder(finished);
    onProgress({ stage: "pack", fraction: 0 });
    await convertImage(
      files.disk,
      join(finished, "disk.qcow2"),
      {
        format: "qcow2",
        sourceFormat: "qcow2",
        compress: true,
        onProgress: (fraction) => onProgress({ stage: "pack", fraction }),
      },
      signal,
    );
    const variables = join(finished, "variables.fd");
    await copyFile(files.variables, variables);
    await chmod(variables, 0o400);
    return store.commit(
      {
        folder: finished,
        record: {
          name,
          title: origin.kind === "iso" ? origin.edition.name : name,
          architecture: "amd64",
          os: "windows",
          source: sourceOf(origin, manifest),
          createdAt: new Date().toISOString(),
          virtualSizeBytes: info.virtualSizeBytes,
          defaultUser: user,
          expectedBootSeconds: windowsBootSeconds,
        },
        report,
      },
      (bytes) => onProgress({ stage: "validate", bytes }),
      signal,
    );
  });
}

const windowsBootSeconds = 60;

function sourceOf(
  origin: InstallRecord["origin"],
  manifest: string,
): ImageSource {
  const { kind, path } = origin;
  if (kind === "disk")
    return { kind: "imported", path, format: origin.format, manifest };
  const { edition, language } = origin;
  return {
    kind: "windows",
    edition: edition.name,
    ...given({ version: edition.version }),
    language,
    iso: basename(path),
    manifest,
  };
}

/** What Windows' own verification found, as an image's report. Pure. */
export function installReport(
  origin: InstallRecord["origin"]["kind"],
  steps: readonly WindowsStep[],
  results: InstallResults,
  at: Date,
): ImageReport {
  return reportOf(
    steps.map(({ id, title, ofIso }) => {
      const result = results.steps.get(id);
      return check(
        `windows.${id}`,
        title,
        origin === "disk" && ofIso === true
          ? notApplicable("the disk came with its own.")
          : result === undefined
            ? warning(
                "Windows left no word of it.",
                "Run the self-test in a VM of this image.",
              )
            : result.ok
              ? ok(
                  result.part === "Verify"
                    ? "verified by Windows."
                    : "done by Windows.",
                )
              : error(
                  result.reason,
                  origin === "iso" ? "Install it anew." : "Prepare it anew.",
                ),
      );
    }),
    at,
  );
}
