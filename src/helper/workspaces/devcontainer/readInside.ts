import { open, stat } from "node:fs/promises";
import { relative } from "node:path";
import { insideFolder } from "./find.ts";

const mostBytes = 256 * 1024;

/**
 * Text of a file that a repository's own file names by `path`; empty where there is none. Nothing outside of the folder is
 * looked at, links included, and no more of a file than a person writes.
 */
export async function readInside(
  folder: string,
  path: string,
): Promise<string> {
  try {
    const real = await insideFolder(folder, relative(folder, path));
    // A pipe would keep whoever opens it waiting.
    if (!(await stat(real)).isFile()) return "";
    await using file = await open(real, "r");
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(mostBytes),
      0,
      mostBytes,
      0,
    );
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return "";
  }
}
