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
  path: uriPath(folder),
});

/** `/home/dev`, or `/c:/Users/dev` for `C:\Users\dev`. */
function uriPath(folder: string): string {
  const drive = /^([a-z]):(.*)$/i.exec(folder);
  if (drive?.[1] === undefined || drive[2] === undefined) return folder;
  return `/${drive[1].toLowerCase()}:${drive[2].replaceAll("\\", "/")}`;
}

/** The alias of an authority, undefined when it is not one of ssh. */
export function aliasOf(authority: string): string | undefined {
  const prefix = "ssh-remote+";
  return authority.startsWith(prefix)
    ? authority.slice(prefix.length)
    : undefined;
}

/** Where a user's files are in a Linux guest. */
export const homeFolderOf = (user: string): string =>
  user === "root" ? "/root" : `/home/${user}`;
