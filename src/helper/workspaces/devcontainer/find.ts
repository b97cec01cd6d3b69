import { realpath } from "node:fs/promises";
import { isAbsolute, join, posix, relative, sep } from "node:path";
import { usualConfigs } from "../../../base/devcontainerFiles.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";

/**
 * The one to use: the wanted one, by its path or by its `<name>`; else, as the reference implementation does, the first of
 * the two usual places; else the only one; undefined when there is none. Refuses with `workspaces.configAmbiguous` and `workspaces.configMissing`. Pure.
 */
export function chooseConfig(
  found: readonly string[],
  wanted: string | undefined,
): string | undefined {
  if (wanted !== undefined) {
    const path = wanted.split(sep).join("/").replace(/^\.\//, "");
    const named = posix.join(".devcontainer", path, "devcontainer.json");
    const chosen = found.find((each) => each === path || each === named);
    if (chosen !== undefined) return chosen;
    throw refused(
      "workspaces.configMissing",
      `The folder has no configuration “${wanted}”.`,
      {
        remedy:
          found.length === 0
            ? "It has no devcontainer.json at all."
            : `It has these: ${visible(found.join(", "))}.`,
      },
    );
  }
  const plain = usualConfigs.find((each) => found.includes(each));
  if (plain !== undefined) return plain;
  const [first, second] = found;
  if (second === undefined) return first;
  throw refused(
    "workspaces.configAmbiguous",
    `The folder has several configurations: ${visible(found.join(", "))}.`,
    { remedy: "Choose one with --config, by its path or its folder's name." },
  );
}

/**
 * Refuses with `workspaces.outsideFolder` when a path of the folder leads out of it, by `..` or by a symbolic link: a
 * repository that nobody trusts yet must not make us read anything else. Answers the real path.
 */
export async function insideFolder(
  folder: string,
  path: string,
): Promise<string> {
  const root = await realpath(folder);
  const real = await realpath(join(folder, path));
  const below = relative(root, real);
  if (below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below))
    throw refused(
      "workspaces.outsideFolder",
      `${visible(path)} leads out of the folder, to ${visible(real)}.`,
      { remedy: "Put the file itself into the folder." },
    );
  return real;
}
