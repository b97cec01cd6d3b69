import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder } from "../../../base/files.ts";
import { shellCommand } from "../../ssh/quote.ts";
import type { GuestWorkspace } from "../git/guestGit.ts";
import { type OnProgress, paced, untar } from "./copy.ts";
import { type CopyProgress, type PackEntry, packInto } from "../files/pack.ts";

/** How a machine is lent a disk; whoever knows the machines gives it. */
export interface DiskLender {
  /** Shows a raw file to the guest while `work` runs; undefined, without `work`, where that can't be done. */
  readonly lend: <T>(
    path: string,
    work: () => Promise<T>,
  ) => Promise<{ readonly value: T } | undefined>;
  /** By which the guest knows the disk. */
  readonly serial: string;
  /** Where the disk's file is made. */
  readonly scratch: string;
}

/**
 * Waits for the disk (a second or so where PCI hot-plug is slow), makes it ours and unpacks it. tar reads the disk itself:
 * there is no file system on it that would have to be made here, mounted there and walked through once more.
 */
const script = String.raw`
set -eu
i=0 dev=
while [ -z "$dev" ]; do
  for block in /sys/block/vd*; do
    if [ "$(cat "$block/serial" 2>/dev/null)" = "$1" ]; then dev=/dev/$(basename "$block"); fi
  done
  [ -z "$dev" ] || [ -b "$dev" ] || dev=
  i=$((i + 1))
  [ $i -lt 100 ] || exit 75
  [ -n "$dev" ] || sleep 0.05
done
if ! [ -r "$dev" ]; then
  # Or udev would set the owner back.
  udevadm settle --timeout=5 2>/dev/null || :
  sudo -n chown "$(id -u)" "$dev"
fi
exec ${untar} -f "$dev" -C "$2"
`;

/**
 * Sends entries as a tar archive on a disk of its own: nothing is encrypted here and decrypted there, which under
 * emulation is most of what a copy costs. Answers undefined where this way is closed, whatever the reason: no slot, no
 * right to read the disk, tar itself. The stream, which comes next, gets through or says what is wrong.
 */
export async function sendByDisk(
  { session, folder: guestFolder }: GuestWorkspace,
  {
    entries,
    disk: { lend, serial, scratch },
  }: { readonly entries: readonly PackEntry[]; readonly disk: DiskLender },
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<CopyProgress | undefined> {
  await makePrivateFolder(scratch);
  const folder = await mkdtemp(join(scratch, "copy-in-"));
  try {
    const path = join(folder, "files.tar");
    const copied = await packInto(
      createWriteStream(path, { flags: "wx", mode: 0o600 }),
      entries,
      paced(onProgress),
      signal,
    );
    const lent = await lend(path, () =>
      session.exec(
        shellCommand(["sh", "-c", script, "guesthouse", serial, guestFolder]),
        {},
        signal,
      ),
    );
    return lent?.value.code === 0 ? copied : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
