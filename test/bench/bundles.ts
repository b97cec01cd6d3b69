import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Row } from "./report.ts";

/** Sizes of what ships. */
export async function benchBundles(root: string): Promise<Row[]> {
  const row = async (name: string): Promise<Row> => ({
    what: `bundle ${name}`,
    value: `${((await stat(join(root, "dist", name))).size / 1024).toFixed(0)} KiB`,
    against: "",
  });
  return Promise.all([
    row("extension.js"),
    row("commands.js"),
    row("proxy.js"),
  ]);
}
