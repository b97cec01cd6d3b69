import { execa } from "execa";
import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  bzImagePayload,
  compressionOf,
  directBootKernel,
} from "../../../src/helper/images/build/kernel.ts";
import { cpioArchive } from "../../../src/helper/images/build/cpio.ts";
import {
  readStepSources,
  windowsSteps,
} from "../../../src/helper/images/windows/steps/steps.ts";
import { swtpmProgram } from "../../../src/helper/qemu/swtpm.ts";
import { missing as agentMissing } from "../guests/realAgent.ts";
import { initramfs, signedBoot } from "../qemu/standIn/disk.ts";
import { enrolledVariables } from "../qemu/standIn/machine.ts";
import { makeStandIn, missingPrograms } from "./windowsIso.ts";

/** What an installation is played with and that is missing here. */
export const missingForPlay = async (): Promise<string[]> => [
  ...(await missingPrograms()),
  ...(signedBoot === undefined ? ["Debian's signed boot files"] : []),
  ...(agentMissing === undefined ? [] : ["qemu-ga"]),
  ...((await swtpmProgram()) === undefined ? ["swtpm"] : []),
  ...(await access(enrolledVariables).then(
    () => [],
    () => ["OVMF for Secure Boot"],
  )),
];

/**
 * Plays Windows' setup with Debian's kernel, busybox and QEMU's own guest agent: it grows its disk, remembers on it how
 * far it is, restarts, and writes what the scripts of `resources/windows` write. Only the names of those files are not
 * Linux's: the agent runs in a folder whose files are called `C:\ProgramData\…` as a whole.
 */
export interface Player {
  /** What setup does by itself, for the machine's firmware to start from its CD. */
  readonly iso: (folder: string, play: string) => Promise<string>;
  /** Started without firmware: `kernel`, and what goes with it for a play. */
  readonly kernel: string;
  readonly initrd: (path: string, play: string) => Promise<string>;
}

export const resources = join(import.meta.dirname, "../../../resources");

const steps = windowsSteps(await readStepSources(resources));
const ids = (phase?: string): string =>
  steps
    .slice(0, -1)
    .filter((step) => phase === undefined || step.phase === phase)
    .map(({ id }) => id)
    .join(" ");

/** Words of the plays, each a case of `$(stage)`. */
const init = String.raw`#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read module; do insmod /modules/$module; done < /modules/order
until [ -b /dev/sda ]; do sleep 0.1; done
mkdir -p /play /sbin
printf '#!/bin/busybox sh\nsync\npoweroff -f\n' > /sbin/shutdown
chmod 755 /sbin/shutdown
folder='/play/C:\ProgramData\Guesthouse'
stage() { dd if=/dev/sda bs=512 skip=1 count=1 2>/dev/null | tr -d '\0'; }
restart() { printf "$1" | dd of=/dev/sda bs=512 seek=1 conv=notrunc,fsync 2>/dev/null; reboot -f; sleep 1000; }
grow() { dd if=/dev/urandom of=/dev/sda bs=1M seek=$1 count=$2 conv=notrunc,fsync 2>/dev/null; }
# A line that somebody types at the screen.
ask() { echo "$1" > /dev/tty0; read -r word < /dev/tty0; echo "typed: $word"; }
stand() { echo "standing at $1"; read -r word; echo "going on from $1"; }
agent() {
  port=
  until [ -n "$port" ]; do
    for each in /sys/class/virtio-ports/*; do
      if [ "$(cat $each/name)" = org.qemu.guest_agent.0 ]; then port=/dev/${"$"}{each##*/}; fi
    done
    sleep 0.1
  done
  (cd /play; while :; do qemu-ga -m virtio-serial -p $port -t /run -f /run/qemu-ga.pid; sleep 1; done) &
}
put() { printf '%s' "$2" > /play/new; mv /play/new "$folder\\$1"; }
say() { put "steps\\$1.json" "{\"id\":\"$1\",\"part\":\"$2\",\"ok\":$3,\"reason\":\"$4\"}"; }
install() { for id in $*; do say $id Install true; done; }
verify() { for id in $*; do say $id Verify true; done; }
# Takes PowerShell's place at the level of what it is given and what it leaves, since no interpreter fits in here (the script
# itself is played in windowsOverSsh.test.ts): a preparation's id and the marker's name come as values, and the medium with that
# marker must be of this preparation, can begin it and has no answers. Afterwards the id is on the disk, for whoever asks again.
cat > /bin/powershell.exe <<'END'
#!/bin/busybox sh
cat > /run/asked
value() { sed -n 's/.*"'$1'":"\([^"]*\)".*/\1/p' /run/asked; }
id=$(value preparation)
for cd in /dev/sr*; do
  mount -t iso9660 -o ro $cd /mnt || continue
  if [ -n "$id" ] && [ -e "/mnt/$(value marker)" ] && [ ! -e /mnt/autounattend.xml ] && grep -q "$id" /mnt/begin.ps1; then found=$cd; fi
  umount /mnt
done
if [ -z "$found" ]; then echo 'no medium' >&2; exit 1; fi
printf '%s' "$id" | dd of=/dev/sda bs=512 seek=2 conv=notrunc,fsync 2>/dev/null
printf '%s' "$id" > '/play/C:\ProgramData\Guesthouse\begun'
echo "the steps are begun" > /dev/console
END
chmod 755 /bin/powershell.exe
# What lies on Windows' disk is there after a restart, too.
again() { dd if=/dev/sda bs=512 skip=2 count=1 2>/dev/null | tr -d '\0' > "$folder\begun"; }
begun() { until [ -e "$folder\begun" ]; do sleep 0.1; done; }
ready() {
  for cd in /dev/sr*; do
    mount -t iso9660 -o ro $cd /mnt 2>/dev/null || continue
    if [ -e /mnt/guesthouse.tag ]; then tag=$(tr -d '\r\n' < /mnt/guesthouse.tag); fi
    umount /mnt
  done
  say marker Verify true
  put ready.json "{\"manifest\":\"$tag\"}"
}
all="${ids()}"
logon="${ids("firstLogon")}"
. /play.sh
sleep 1000
`;

/** `parts` is the folder of `scripts/lib/signedBoot.mjs`. */
export async function makePlayer(
  parts: string,
  folder: string,
): Promise<Player> {
  const base = await initramfs(parts, init);
  // The kernel takes one archive after the other.
  const initrdOf = (play: string): Buffer =>
    Buffer.concat([
      base,
      Buffer.alloc((512 - (base.length % 512)) % 512),
      cpioArchive([
        { kind: "file", path: "play.sh", data: Buffer.from(`${play}\n`) },
      ]),
    ]);
  const kernel = join(folder, "kernel");
  await writeFile(kernel, await quickKernel(join(parts, "vmlinuz")));
  return {
    kernel,
    initrd: async (path, play) => {
      await writeFile(path, initrdOf(play));
      return path;
    },
    iso: async (into, play) => {
      const noPrompt = await bootImage(parts, into);
      const files = await bootFiles(parts, initrdOf(play));
      return (await makeStandIn(into, { noPrompt, files })).iso;
    },
  };
}

export const kernelArguments =
  "console=ttyS0 rdinit=/init panic=-1 mitigations=off";

/** Unpacked where that can be done: unpacking itself takes the kernel three seconds under emulation. */
async function quickKernel(path: string): Promise<Buffer> {
  const file = await readFile(path);
  const payload = bzImagePayload(file);
  const program = payload && compressionOf(payload);
  if (program !== "xz" && program !== "zstd") return file;
  const { stdout, exitCode } = await execa(program, ["-d", "-c"], {
    ...(payload === undefined ? {} : { input: payload }),
    encoding: "buffer",
    reject: false,
    maxBuffer: 512 * 1024 ** 2,
  });
  return (
    (exitCode === 0 ? directBootKernel(Buffer.from(stdout)) : undefined) ?? file
  );
}

/** What a CD's boot entry names: a FAT file system from which firmware starts Debian's signed chain. */
async function bootImage(parts: string, folder: string): Promise<Buffer> {
  const image = join(folder, "signed.fat");
  await execa("mkfs.vfat", ["-C", image, String(8 * 1024)]);
  await execa("mmd", ["-i", image, "::/EFI", "::/EFI/BOOT"]);
  for (const [from, to] of [
    ["shimx64.efi", "BOOTX64.EFI"],
    ["grubx64.efi", "grubx64.efi"],
  ] as const)
    await execa("mcopy", [
      ...["-i", image, join(parts, from), `::/EFI/BOOT/${to}`],
    ]);
  return readFile(image);
}

/** Where the boot loader looks on a CD: in the CD's own file system and not in the one that it was started from. */
const bootFiles = async (
  parts: string,
  initrd: Buffer,
): Promise<Record<string, Buffer>> => ({
  "efi/debian/grub.cfg": Buffer.from(
    `set timeout=0\nlinux /kernel.efi ${kernelArguments}\ninitrd /initrd.img\nboot\n`,
  ),
  "kernel.efi": await readFile(join(parts, "vmlinuz")),
  "initrd.img": initrd,
});
