import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { refused } from "../../../../protocol/failure.ts";
import { qemuImg } from "../../../qemu/qemuImg.ts";
import { writeIntoDisk } from "../../../qemu/qemuIo.ts";
import { efiBootEntry, withBootImage } from "./bootCatalog.ts";
import { withFile } from "./byteReader.ts";
import { noPromptImage } from "./inspectIso.ts";
import { openUdf } from "./udf.ts";

/**
 * Makes a qcow2 overlay above an ISO that starts without “Press any key to boot from CD”: one sector differs, the boot
 * catalog's, which names the loader that doesn't ask. The ISO is only read, and must stay where it is.
 * Throws `request.invalid` when it has no such loader or doesn't boot by UEFI, `images.invalid` when it is damaged.
 */
export async function makeNoPromptOverlay(
  iso: string,
  overlay: string,
  signal: AbortSignal,
): Promise<void> {
  const patch = await withFile(iso, async (reader) => {
    const boot = await efiBootEntry(reader);
    if (boot === undefined)
      throw refused("request.invalid", "The ISO doesn't boot by UEFI.", {
        remedy: "Take an ISO of Windows 10, Windows Server 2016 or later.",
      });
    const image = await (await openUdf(reader)).find(noPromptImage);
    const [extent, ...others] = image?.extents ?? [];
    // Firmware reads it from one place on.
    if (
      image === undefined ||
      extent?.offset === undefined ||
      extent.offset % 2048 !== 0 ||
      others.length > 0
    )
      throw refused(
        "request.invalid",
        "The ISO has no loader that starts without a key being pressed.",
        {
          remedy:
            "Press a key in the machine's screen when it asks for one, or take Microsoft's own ISO.",
        },
      );
    return {
      offset: boot.sectorOffset,
      bytes: withBootImage(boot, {
        sector: extent.offset / 2048,
        sizeBytes: image.sizeBytes,
      }),
    };
  });
  try {
    await qemuImg(
      [
        "create",
        "-q",
        ...["-f", "qcow2"],
        ...["-b", resolve(iso), "-F", "raw"],
        overlay,
      ],
      signal,
    );
    await writeIntoDisk(overlay, patch.offset, patch.bytes, signal);
  } catch (error) {
    await rm(overlay, { force: true });
    throw error;
  }
}
