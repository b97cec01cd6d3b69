import { remotePath } from "../../base/remotePath.ts";
import type { GuestSystem } from "../../protocol/images.ts";

/** The parts of an editor's URI for a folder in a guest; the editor's class is made of them at the edge. */
export interface RemoteAddress {
  readonly scheme: "vscode-remote";
  /** `ssh-remote+<alias>`: the port lives in the ssh config, or the editor would ask for the platform again. */
  readonly authority: string;
  readonly path: string;
}

/** Editors lower-case authorities, so an alias has to be lower case already. */
export const authorityOf = (alias: string): string => `ssh-remote+${alias}`;

export const addressOf = (alias: string, folder: string): RemoteAddress => ({
  scheme: "vscode-remote",
  authority: authorityOf(alias),
  path: remotePath(folder),
});

/** Whether a path of a guest says all of where it leads, as the guest's system spells it. */
export const isWholePath = (path: string, os: GuestSystem): boolean =>
  os === "windows" ? /^[a-z]:[\\/]/i.test(path) : path.startsWith("/");

/** The alias of an authority, undefined when it is not one of ssh. */
export function aliasOf(authority: string): string | undefined {
  const prefix = "ssh-remote+";
  return authority.startsWith(prefix)
    ? authority.slice(prefix.length)
    : undefined;
}
