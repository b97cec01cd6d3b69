import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import { freeBytes } from "../../store/diskSpace.ts";

/** Less than this, and whatever went wrong went wrong for want of room. */
const nothingBytes = 8 * 1024 ** 2;

export const isFull = async (folder: string): Promise<boolean> =>
  (await freeBytes(folder)) < nothingBytes;

/**
 * On a full disk QEMU can't even write why it ended: what to throw when its start failed. `error` where that is not
 * the reason.
 */
export async function orDiskFull(
  error: unknown,
  folder: string,
): Promise<unknown> {
  const wordless =
    error instanceof GuesthouseError &&
    error.failure.code === "machines.startFailed";
  if (!wordless || !(await isFull(folder))) return error;
  return failed(
    "host.diskFull",
    `The disk of ${folder} is full, so QEMU could not go on.`,
    {
      remedy:
        "Free some space (guesthouse gc says what can go), then try again.",
      cause: error,
    },
  );
}
