import { isAbsolute, normalize, posix, relative, sep, win32 } from "node:path";
import { visible } from "../../../base/visible.ts";
import { refused, type GuesthouseError } from "../../../protocol/failure.ts";
import type { Devcontainer } from "./model.ts";

/** Where the files of a folder go. */
export interface Placing {
  /** What is copied: the folder, or one below it. */
  readonly source: string;
  /** Where the copy lies in the guest. */
  readonly target: string;
  /** What is opened, and where commands run. */
  readonly workspaceFolder: string;
}

/**
 * From `workspaceMount` and `workspaceFolder`, whose variables are filled in already; without them
 * `/workspaces/<name>`. Refuses with `workspaces.outsideFolder` a mount of anything but the folder or what is below it,
 * and with `workspaces.configInvalid` paths in the guest that can't be meant. Pure.
 */
export function placeFiles(
  folder: string,
  name: string,
  {
    workspaceMount,
    workspaceFolder,
  }: Pick<Devcontainer, "workspaceMount" | "workspaceFolder">,
): Placing {
  const usual = posix.join("/workspaces", name);
  const mount =
    workspaceMount === undefined || workspaceMount === ""
      ? {
          source: folder,
          target: usualTarget(usual, workspaceFolder),
          named: "workspaceFolder",
        }
      : { ...parseMount(folder, workspaceMount), named: "workspaceMount" };
  const target = guestPath(mount.named, mount.target);
  return {
    source: mount.source,
    target,
    workspaceFolder: guestPath("workspaceFolder", workspaceFolder ?? target),
  };
}

/** A folder to open below the usual place is one below the copy; any other one is meant to hold the copy. */
const usualTarget = (usual: string, opened: string | undefined): string =>
  opened === undefined || posix.normalize(opened).startsWith(`${usual}/`)
    ? usual
    : opened;

/**
 * The same in a guest with Windows: below the user's files, but for a `workspaceFolder` that names a drive. What is written
 * for Linux there, such as `/workspaces/x`, is not meant for it. Pure.
 */
export function placeInWindows(
  folder: string,
  name: string,
  user: string,
  { workspaceFolder }: Pick<Devcontainer, "workspaceFolder">,
): Placing {
  const target =
    workspaceFolder !== undefined && /^[a-z]:[\\/]/i.test(workspaceFolder)
      ? win32.normalize(workspaceFolder).replace(/\\+$/, "")
      : win32.join("C:\\Users", user, name);
  if (/[\0\n<>"|?*]/.test(target) || /^.:(?:\\windows(?:\\|$)|$)/i.test(target))
    throw badPath("workspaceFolder", target);
  return { source: folder, target, workspaceFolder: target };
}

/** `source=…,target=…,type=bind`, as `docker run --mount` takes it. */
function parseMount(
  folder: string,
  mount: string,
): { source: string; target: string } {
  const fields = new Map(
    mount.split(",").map((field) => {
      const [key = "", ...value] = field.split("=");
      return [key.trim(), value.join("=").replace(/^"|"$/g, "")] as const;
    }),
  );
  const source = normalize(fields.get("source") ?? fields.get("src") ?? "");
  const target =
    fields.get("target") ?? fields.get("dst") ?? fields.get("destination");
  if (target === undefined || (fields.get("type") ?? "bind") !== "bind")
    throw badPath("workspaceMount", mount);
  const below = relative(folder, source);
  if (
    !isAbsolute(source) ||
    below === ".." ||
    below.startsWith(`..${sep}`) ||
    isAbsolute(below)
  )
    throw refused(
      "workspaces.outsideFolder",
      `workspaceMount names ${visible(source)}, which is not in ${folder}.`,
      {
        remedy: "Only the folder and what is below it is copied to the guest.",
      },
    );
  return { source, target };
}

/** Folders that belong to the system: a copy into them would break the guest. */
const system =
  /^\/(?:bin|boot|dev|etc|lib|lib64|proc|root|run|sbin|sys|usr|var)?$/;

function guestPath(property: string, path: string): string {
  const clean = posix.normalize(path).replace(/(.)\/+$/, "$1");
  if (!clean.startsWith("/") || /[\0\n]/.test(clean) || system.test(clean))
    throw badPath(property, path);
  return clean;
}

const badPath = (property: string, value: string): GuesthouseError =>
  refused(
    "workspaces.configInvalid",
    `${property} can't be “${visible(value)}”: a folder of its own in the guest, with its whole path, is needed.`,
    { remedy: "Leave it out for the usual /workspaces/<name of the folder>." },
  );
