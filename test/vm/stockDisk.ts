import { createHash } from "node:crypto";
import {
  access,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import {
  readHostMirrors,
  sourcesList,
} from "../../src/helper/images/build/mirrors.ts";

/** What a distribution's cloud image brings, less the guest agent: preparation is to install that. */
const packages = [
  // What a cloud's image has: a tenth of the modules, so that its initramfs is soon made, read and unpacked.
  "linux-image-cloud-amd64",
  "initramfs-tools",
  "busybox",
  "systemd-sysv",
  "systemd-resolved",
  "netplan.io",
  "udev",
  "dbus",
  "kmod",
  "cloud-init",
  "cloud-guest-utils",
  "openssh-server",
  "sudo",
  "iproute2",
  "ca-certificates",
  "e2fsprogs",
  "dosfstools",
];

/**
 * Lists of packages stay on the disk, with what apt makes of them: an update in the guest then asks the mirror what is
 * new and reads nothing, where an emulated processor would take minutes.
 */
const listsKept = [
  "--skip=cleanup/apt",
  '--aptopt=Acquire::Languages "none"',
  '--customize-hook=chroot "$1" apt-get -q update',
  '--customize-hook=chroot "$1" apt-cache gencaches',
  '--customize-hook=rm -f "$1"/var/cache/apt/archives/*.deb',
];

const bootMiB = 96;
const rootMiB = 1536;
const startSector = 2048;

/** The disk out of the developer's cache, where it is made on first use. */
export async function cachedStockDisk(): Promise<string> {
  const { GUESTHOUSE_CACHE, XDG_CACHE_HOME } = process.env;
  const cache =
    GUESTHOUSE_CACHE ??
    join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "guesthouse-dev");
  const recipe = createHash("sha256")
    .update(JSON.stringify([packages, listsKept, bootMiB, rootMiB]))
    .digest("hex");
  const cached = join(cache, `stock-disk-${recipe.slice(0, 12)}.qcow2`);
  const there = await access(cached).then(
    () => true,
    () => false,
  );
  if (there) return cached;
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "stock-"));
  try {
    await rename(await makeStockDisk(folder), cached);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return cached;
}

/**
 * Makes a disk like a distribution's cloud image from packages, without loop devices: boot loader, FAT boot partition,
 * ext4 root, stock initramfs, stock cloud-init. Needs root, mmdebstrap, syslinux, mtools, dosfstools, sfdisk; takes
 * about two minutes. Answers with the path of a qcow2.
 */
async function makeStockDisk(folder: string): Promise<string> {
  const at = (name: string): string => join(folder, name);
  const sources = at("sources.list");
  await mkdir(folder, { recursive: true });
  await writeFile(
    sources,
    sourcesList(await readHostMirrors("bookworm"), "bookworm"),
  );
  const tree = at("tree");
  await execa("mmdebstrap", [
    "--mode=root",
    "--variant=minbase",
    `--include=${packages.join(",")}`,
    ...listsKept,
    "bookworm",
    tree,
    sources,
  ]);
  await writeFile(
    join(tree, "etc/fstab"),
    "LABEL=stockroot / ext4 rw,discard 0 1\nLABEL=STOCKBOOT /boot/efi vfat umask=0077,nofail 0 0\n",
  );
  await mkdir(join(tree, "boot/efi"), { recursive: true });
  await execa("mke2fs", [
    "-q",
    "-t",
    "ext4",
    "-L",
    "stockroot",
    "-d",
    tree,
    at("root.img"),
    `${String(rootMiB)}M`,
  ]);

  await writeFile(
    at("syslinux.cfg"),
    "DEFAULT linux\nSERIAL 0\nLABEL linux\n KERNEL vmlinuz\n INITRD initrd.img\n APPEND root=LABEL=stockroot ro quiet console=tty0 console=ttyS0,115200\n",
  );
  await execa("mkfs.vfat", [
    "-C",
    "-n",
    "STOCKBOOT",
    "-h",
    String(startSector),
    at("boot.img"),
    String(bootMiB * 1024),
  ]);
  const { stdout: release } = await execa("ls", [join(tree, "lib/modules")]);
  for (const [file, name] of [
    [join(tree, `boot/vmlinuz-${release}`), "vmlinuz"],
    [join(tree, `boot/initrd.img-${release}`), "initrd.img"],
    [at("syslinux.cfg"), "syslinux.cfg"],
  ] as const)
    await execa("mcopy", ["-i", at("boot.img"), file, `::${name}`]);
  await rm(tree, { recursive: true, force: true });

  const disk = at("disk.raw");
  await assemble(disk, at);
  await execa("syslinux", ["-t", String(startSector * 512), "--install", disk]);
  const qcow2 = at("stock.qcow2");
  await execa("qemu-img", [
    ...["convert", "-m", "8", "-W", "-c", "-o", "compression_type=zstd"],
    ...["-O", "qcow2", disk, qcow2],
  ]);
  for (const name of ["root.img", "boot.img", "disk.raw"])
    await rm(at(name), { force: true });
  return qcow2;
}

/** MBR, boot partition, root partition, one behind the other. */
async function assemble(
  disk: string,
  at: (name: string) => string,
): Promise<void> {
  const bootSectors = bootMiB * 2048;
  const rootStart = startSector + bootSectors;
  const file = await open(disk, "w");
  await file.truncate((rootStart + rootMiB * 2048) * 512);
  await file.close();
  const copy = (source: string, sector: number): Promise<unknown> =>
    execa("dd", [
      `if=${source}`,
      `of=${disk}`,
      "bs=1M",
      `seek=${String((sector * 512) / 2 ** 20)}`,
      "conv=notrunc,sparse",
      "status=none",
    ]);
  await copy(at("boot.img"), startSector);
  await copy(at("root.img"), rootStart);
  await execa("sfdisk", ["--quiet", disk], {
    input: `label: dos\nstart=${String(startSector)}, size=${String(bootSectors)}, type=c, bootable\nstart=${String(rootStart)}, type=83\n`,
  });
  await execa("dd", [
    "if=/usr/lib/syslinux/mbr/mbr.bin",
    `of=${disk}`,
    "bs=440",
    "count=1",
    "conv=notrunc",
    "status=none",
  ]);
}
