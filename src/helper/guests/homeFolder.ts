import type { GuestSystem } from "../../protocol/images.ts";

/** Where a user's files are in a guest, as the guest spells it. Pure. */
export function homeFolderOf({
  os,
  user,
}: {
  readonly os: GuestSystem;
  readonly user: string;
}): string {
  if (os === "windows") return `C:\\Users\\${user}`;
  return user === "root" ? "/root" : `/home/${user}`;
}
