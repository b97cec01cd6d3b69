import { basename } from "node:path";
import { refused } from "../../../protocol/failure.ts";
import { imageNameSchema } from "./catalog.ts";

/** The wanted name, or one made of the file's; `request.invalid` for one that can't be used. */
export function importName(wanted: string | undefined, path: string): string {
  const name =
    wanted ??
    basename(path)
      .replace(/\.[A-Za-z0-9]+$/, "")
      .toLowerCase()
      .replace(/[^a-z0-9.-]+/g, "-")
      .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "")
      .slice(0, 63);
  if (imageNameSchema.safeParse(name).success) return name;
  throw refused("request.invalid", `“${name}” can't be an image's name.`, {
    remedy:
      "Use up to 63 lower-case letters, digits, dots and dashes, beginning with a letter or digit.",
  });
}
