import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { hasErrorCode } from "../../../base/files.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";

const batch = 256;
const named = 8;

/**
 * Refuses with `request.invalid` where files of this list can't be read, with their names, before anything is sent: a copy that
 * ends in the middle is of no use, and one without them would count them as deleted. Others than regular files and
 * what isn't there any more are left to whoever reads them.
 */
export async function demandReadable(
  folder: string,
  files: readonly string[],
): Promise<void> {
  const closed: string[] = [];
  for (let i = 0; i < files.length; i += batch) {
    const answers = await Promise.all(
      files.slice(i, i + batch).map(async (name) => ({
        name,
        isClosed: await isClosed(join(folder, name)),
      })),
    );
    for (const each of answers) if (each.isClosed) closed.push(each.name);
  }
  if (closed.length === 0) return;
  const shown = closed.slice(0, named).map(visible).join(", ");
  const more = closed.length - Math.min(closed.length, named);
  throw refused(
    "request.invalid",
    `You may not read ${closed.length === 1 ? "this file" : `${String(closed.length)} files`} of ${visible(folder)}: ${shown}${more > 0 ? `, and ${String(more)} more` : ""}. Nothing was copied.`,
    {
      remedy:
        "Make them readable (chmod, chown), remove them, or have .gitignore name those that the VM doesn't need.",
      actions: ["retry"],
    },
  );
}

// A pipe would keep us waiting, and a link goes as a link, wherever it leads. Windows has neither flag.
const {
  O_RDONLY,
  O_NONBLOCK = 0,
  O_NOFOLLOW = 0,
} = constants as Partial<typeof constants> & Pick<typeof constants, "O_RDONLY">;

async function isClosed(path: string): Promise<boolean> {
  try {
    const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    await file.close();
    return false;
  } catch (error) {
    return hasErrorCode(error, "EACCES") || hasErrorCode(error, "EPERM");
  }
}
