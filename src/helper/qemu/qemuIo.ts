import { ExecaError, execa } from "execa";
import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { rm } from "node:fs/promises";
import { failed } from "../../protocol/failure.ts";
import { findProgram } from "../processes/programs.ts";

/**
 * Writes bytes into a qcow2 disk that no QEMU holds open. They lie beside it for a moment: qemu-io takes them from a
 * file, whose name it splits at spaces, so it is run in their folder.
 * Throws `host.toolMissing` or `host.toolFailed`.
 */
export async function writeIntoDisk(
  disk: string,
  offset: number,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const program = await findProgram("qemu-io");
  if (program === undefined)
    throw failed("host.toolMissing", "The program qemu-io was not found.", {
      remedy: "It comes with qemu-img; run the doctor, which says how.",
      actions: ["doctor", "installTools"],
    });
  const folder = dirname(disk);
  const name = `${basename(disk).replaceAll(/[^\w.-]/g, "_")}.patch`;
  await writeFile(join(folder, name), bytes, { mode: 0o600 });
  try {
    await execa(
      program,
      [
        ...["-f", "qcow2"],
        ...["-c", `write -s ${name} ${String(offset)} ${String(bytes.length)}`],
        disk,
      ],
      {
        cwd: folder,
        stdin: "ignore",
        env: { LC_ALL: "C" },
        cancelSignal: signal,
      },
    );
  } catch (error) {
    if (!(error instanceof ExecaError) || signal.aborted) throw error;
    throw failed(
      "host.toolFailed",
      `qemu-io could not write into ${disk}: ${String(error.stderr).trim()}.`,
      { actions: ["doctor"], cause: error },
    );
  } finally {
    await rm(join(folder, name), { force: true });
  }
}
