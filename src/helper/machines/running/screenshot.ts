import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder } from "../../../base/files.ts";
import { failed, refused } from "../../../protocol/failure.ts";
import type { Layout } from "../../store/layout.ts";
import type { Entry, Live } from "../roster/entry.ts";

/**
 * What a living machine's screen shows now, as PNG. Refuses with `machines.wrongState` when it has none; throws
 * `qemu.monitor` when QEMU can't, as one that was built without PNG.
 */
export async function takeScreenshot(
  { record }: Pick<Entry, "record">,
  live: Pick<Live, "qmp">,
  { work }: Layout,
): Promise<Buffer> {
  if (!record.screen)
    throw refused("machines.wrongState", `“${record.name}” has no screen.`, {
      remedy: `Stop it, then give it one: guesthouse set --screen ${record.name}.`,
    });
  if (live.qmp === undefined)
    throw failed(
      "qemu.monitor",
      `The monitor of “${record.name}” does not answer.`,
      { remedy: "Restart the machine if it stays so." },
    );
  await makePrivateFolder(work);
  const path = join(work, `screen-${randomUUID()}.png`);
  try {
    await live.qmp.execute("screendump", { filename: path, format: "png" });
    return await readFile(path);
  } finally {
    await rm(path, { force: true });
  }
}
