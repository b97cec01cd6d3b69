import { execa } from "execa";
import { open, readFile, realpath, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  cpioArchive,
  type CpioEntry,
} from "../../../../src/helper/images/build/cpio.ts";
import { findProgram } from "../../../../src/helper/processes/programs.ts";

/** The folder of `scripts/lib/signedBoot.mjs`; undefined where it could not be had. */
export const signedBoot = process.env["GUESTHOUSE_SIGNED_BOOT"];

const sectorBytes = 512;
const firstSector = 2048;
const espMiB = 48;
/** Of an EFI system partition (UEFI specification, 5.3.3). */
const espType = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

/**
 * A disk (qcow2) as an installed Windows leaves it to the firmware, with Debian in its place: a GPT with an EFI system
 * partition whose removable-media path is Debian's shim, signed by Microsoft; it starts Debian's boot loader and that
 * Debian's kernel, each checked by its signature. The initramfs is ours; what it does, by default, ends in QEMU's guest agent of
 * this host.
 */
export async function standInDisk(
  parts: string,
  folder: string,
  path: string,
  script: string = init,
): Promise<void> {
  const esp = join(folder, "esp.fat");
  const raw = join(folder, "disk.raw");
  const config = join(folder, "grub.cfg");
  const initrd = join(folder, "initrd");
  await writeFile(config, bootConfig);
  await writeFile(initrd, await initramfs(parts, script));
  await execa("mkfs.vfat", ["-C", esp, String(espMiB * 1024)]);
  await execa("mmd", ["-i", esp, "::/EFI", "::/EFI/BOOT", "::/EFI/debian"]);
  for (const [from, to] of [
    [join(parts, "shimx64.efi"), "::/EFI/BOOT/BOOTX64.EFI"],
    [join(parts, "grubx64.efi"), "::/EFI/BOOT/grubx64.efi"],
    // Where Debian's signed boot loader looks for it.
    [config, "::/EFI/debian/grub.cfg"],
    [join(parts, "vmlinuz"), "::/vmlinuz"],
    [initrd, "::/initrd"],
  ] as const)
    await execa("mcopy", ["-i", esp, from, to]);
  const disk = await open(raw, "w", 0o600);
  try {
    await disk.truncate((espMiB + 2) * 1024 ** 2);
    await disk.write(
      await readFile(esp),
      0,
      undefined,
      firstSector * sectorBytes,
    );
  } finally {
    await disk.close();
  }
  await execa("sfdisk", ["--quiet", raw], {
    input: `label: gpt\nstart=${String(firstSector)}, size=${String((espMiB * 1024 ** 2) / sectorBytes)}, type=${espType}\n`,
  });
  await execa("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", raw, path]);
}

const bootConfig = `set timeout=0
linux /vmlinuz console=ttyS0 rdinit=/init panic=-1 mitigations=off
initrd /initrd
boot
`;

/** Loads the modules, gets an address, counts, and lets the agent answer. */
const init = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t securityfs security /sys/kernel/security
while read module; do insmod /modules/$module; done < /modules/order
mount -t efivarfs efivars /sys/firmware/efi/efivars
ip link set lo up
until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done
ip link set eth0 up
udhcpc -n -q -f -i eth0 -s /lease
(count=0; while sleep 0.1; do count=$((count + 1)); echo $count > /run/counted; mv /run/counted /run/count; done) &
port=
until [ -n "$port" ]; do
  for each in /sys/class/virtio-ports/*; do
    if [ "$(cat $each/name)" = org.qemu.guest_agent.0 ]; then port=/dev/\${each##*/}; fi
  done
  sleep 0.1
done
echo "stand-in: the agent answers on $port"
while :; do qemu-ga -m virtio-serial -p $port -t /run -f /run/qemu-ga.pid; sleep 1; done
`;

const lease = `#!/bin/busybox sh
if [ "$1" = bound ]; then ip address add $ip/$mask dev $interface; fi
`;

/** busybox, QEMU's guest agent and the profile's modules; `script` is what the kernel runs. Compressed. */
export async function initramfs(
  parts: string,
  script: string = init,
): Promise<Buffer> {
  const program = await realpath((await findProgram("qemu-ga")) ?? "");
  const text = (path: string, content: string): CpioEntry => ({
    kind: "file",
    path,
    data: Buffer.from(content),
    executable: true,
  });
  const file = async (path: string, from: string): Promise<CpioEntry> => ({
    kind: "file",
    path,
    data: await readFile(from),
    executable: true,
  });
  const modules = (await readFile(join(parts, "modules", "order"), "utf8"))
    .split("\n")
    .filter((name) => name !== "");
  const entries: CpioEntry[] = [
    ...[
      "bin",
      "dev",
      "lib",
      "lib64",
      "modules",
      "proc",
      "run",
      "sys",
      "tmp",
      "mnt",
    ].map((path) => ({ kind: "folder", path }) as const),
    { kind: "characterDevice", path: "dev/console", major: 5, minor: 1 },
    text("init", script),
    text("lease", lease),
    await file("bin/busybox", join(parts, "busybox")),
    await file("bin/qemu-ga", program),
    text("modules/order", `${modules.join("\n")}\n`),
  ];
  for (const path of await libraries(program))
    entries.push(
      await file(
        path.includes("/ld-linux") ? path.slice(1) : `lib/${basename(path)}`,
        path,
      ),
    );
  for (const name of modules)
    entries.push(await file(`modules/${name}`, join(parts, "modules", name)));
  return gzipSync(cpioArchive(entries), { level: 6 });
}

/** The shared libraries that a program of this host is loaded with. */
async function libraries(program: string): Promise<string[]> {
  const { stdout } = await execa("ldd", [program]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? "");
}
