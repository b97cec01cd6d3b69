/**
 * A folder of a guest as URIs and SFTP have it: `/home/dev` as it is, `C:\Users\dev` as `/c:/Users/dev`. Editors write the
 * drive in lower case, and so know such a folder again. Pure.
 */
export function remotePath(folder: string): string {
  const [, drive, rest] = /^([a-z]):(.*)$/i.exec(folder) ?? [];
  if (drive === undefined || rest === undefined) return folder;
  return `/${drive.toLowerCase()}:${rest.replaceAll("\\", "/")}`;
}
