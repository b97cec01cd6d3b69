import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import type { TemplateShape } from "../../../protocol/templates.ts";
import { requireSpace } from "../../store/diskSpace.ts";
import { isFull } from "../boot/fullDisk.ts";

const mib = 1024 ** 2;
/** What a first boot writes to the disk, and what is left for the guests. */
const besideMemoryBytes = 256 * mib;

/**
 * Fails with `host.diskFull` where a template could not be made. A guest's memory that lies in a file is written to by
 * the processor, so a full disk is no error there that anybody could answer: QEMU is ended by SIGBUS.
 */
export const requireRoom = (
  folder: string,
  { memoryMiB }: Pick<TemplateShape, "memoryMiB">,
): Promise<void> =>
  requireSpace(
    folder,
    memoryMiB * mib + besideMemoryBytes,
    "Making a warm template",
  );

/** Why a template's QEMU ended before it was asked to; before its files are removed. */
export async function endedEarly(
  folder: string,
  cause: unknown,
): Promise<GuesthouseError> {
  if (await isFull(folder))
    return failed(
      "host.diskFull",
      `The disk of ${folder} became full while a warm template was made.`,
      {
        remedy:
          "Free some space (guesthouse gc says what can go), then warm up the image again. Until then its machines boot.",
        cause,
      },
    );
  return cantBe("its QEMU ended unexpectedly", cause);
}

export const cantBe = (why: string, cause?: unknown): GuesthouseError =>
  failed("templates.failed", `A warm template can't be made: ${why}.`, {
    remedy:
      "Machines of this image boot instead. Prepare the image anew, then warm it up again.",
    actions: ["retry"],
    cause,
  });
