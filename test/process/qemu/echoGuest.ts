import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Qmp } from "../../../src/helper/qemu/qmp.ts";

/** What the guest shows first. */
export const greeting = "echo> ";

/**
 * A guest of one sector: writes a greeting through the firmware, then whatever is typed at it (BIOS services 10h and
 * 16h, code from 0, text from 0x20).
 */
const program =
  "31c0 8ed8 be207c fc ac 84c0 7409 b40e bb0700 cd10 ebf2 30e4 cd16 b40e ebf1";

/** Puts the guest's disk in the folder; where a machine looks for it. */
export async function echoDisk(folder: string): Promise<string> {
  const sector = Buffer.alloc(1024 ** 2);
  Buffer.from(program.replaceAll(" ", ""), "hex").copy(sector);
  sector.write(greeting, 0x20, "latin1");
  sector.writeUInt16LE(0xaa55, 510);
  const raw = join(folder, "echo.raw");
  const disk = join(folder, "disk.qcow2");
  await writeFile(raw, sector);
  await execa("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, disk]);
  return disk;
}

const columns = 80;
const rows = 25;

/** The lines of the screen in the VGA adapter's text mode, as its memory holds them. */
export async function screenText(qmp: Qmp): Promise<string> {
  const dump = await qmp.execute("human-monitor-command", {
    "command-line": `xp /${String(columns * rows * 2)}xb 0xb8000`,
  });
  const bytes = [...String(dump).matchAll(/0x([0-9a-f]{2})\b/g)].map(
    ([, hex]) => parseInt(hex ?? "", 16),
  );
  const text = Buffer.from(
    bytes.filter((_, index) => index % 2 === 0),
  ).toString("latin1");
  return Array.from({ length: rows }, (_, row) =>
    text.slice(row * columns, (row + 1) * columns).trimEnd(),
  ).join("\n");
}
