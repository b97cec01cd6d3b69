import { execa } from "execa";
import { missing } from "../ssh/realSshd.ts";

/** For a server's folders of its own: what is written for a guest must not be written for this host, nor read of it. */
export const apart: readonly string[] = [
  ...["unshare", "--mount", "sh", "-c"],
  'set -e; mount -t tmpfs guest /var/lib; cp -a /etc /var/lib/etc; mount --bind /var/lib/etc /etc; mount -t tmpfs home /root; exec "$@"',
  "sh",
];
const tryMount = ["--mount", "mount", "-t", "tmpfs", "trial", "/mnt"];

/** Why a server can't have them here; undefined when it can. */
export async function whyNotApart(): Promise<string | undefined> {
  if (missing !== undefined) return missing;
  if (process.getuid?.() !== 0) return "mounts need root";
  const { exitCode } = await execa("unshare", tryMount, { reject: false });
  return exitCode === 0 ? undefined : "mounts are not allowed";
}
