/** Code points that HFS+ leaves out when it compares names. */
const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * May a file of this name, relative and with forward slashes, be written into a folder of the host because a guest says
 * so? Not when it climbs out, and not into what any file system takes for `.git`: settings and hooks there start
 * programs. The rules are those of git's own fsck. Pure.
 */
export function isSafeName(name: string): boolean {
  if (name === "" || name.includes("\0") || name.includes("\\")) return false;
  return name.split("/").every((part) => {
    if (part === "" || part === "." || part === "..") return false;
    const plain = part
      .replace(ignoredByHfs, "")
      .replace(/:.*$/, "")
      .replace(/[. ]+$/, "")
      .toLowerCase();
    return plain !== ".git" && !/^git~\d+$/.test(plain) && plain !== "";
  });
}
