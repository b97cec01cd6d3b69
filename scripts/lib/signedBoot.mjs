// What firmware with Microsoft's keys starts, without Windows: Debian's signed shim, boot loader and kernel, unpacked
// and not installed, as their packages would change how this machine boots.
import {
  copyFile,
  mkdir,
  readdir,
  readFile,
  rm,
  writeFile,
} from "node:fs/promises";
import { basename, join } from "node:path";
import { cached, cacheRoot, exists } from "./cache.mjs";
import { capture, onPath } from "./run.mjs";

const name = "signed-boot-debian-1";
const proof = ["shimx64.efi", "grubx64.efi", "vmlinuz", "busybox", "modules"];

/** What a kernel of Debian has as modules and the machine of Windows' profile needs; those built in are passed over. */
const wanted = [
  ...["ahci", "sd_mod", "sr_mod", "isofs", "e1000e"],
  ...["xhci_pci", "usbhid", "hid_generic", "evdev"],
  ...["virtio_pci", "virtio_console", "virtio_rng", "vmgenid"],
  ...["tpm_tis", "efivarfs"],
];

/**
 * @returns {Promise<string | undefined>} a folder with `shimx64.efi`, `grubx64.efi`, `vmlinuz`, `busybox` (static) and
 *   `modules/`, whose `order` names them as they must be loaded; undefined where they are not to be had, and the tests
 *   that need them are skipped
 */
export async function signedBoot() {
  const folder = join(cacheRoot(), name);
  if (
    (await Promise.all(proof.map((path) => exists(join(folder, path))))).every(
      Boolean,
    )
  )
    return folder;
  if (
    process.arch !== "x64" ||
    onPath("apt-get") === undefined ||
    onPath("dpkg-deb") === undefined
  )
    return undefined;
  return cached(name, proof, make).catch(() => undefined);
}

/** @param {string} folder */
async function make(folder) {
  const tree = join(folder, "unpacked");
  await mkdir(tree, { recursive: true, mode: 0o700 });
  await unpack(folder, tree);
  const usr = join(tree, "usr", "lib");
  await copyFile(
    join(usr, "shim", "shimx64.efi.signed"),
    join(folder, "shimx64.efi"),
  );
  await copyFile(
    join(usr, "grub", "x86_64-efi-signed", "grubx64.efi.signed"),
    join(folder, "grubx64.efi"),
  );
  await copyFile(join(tree, "bin", "busybox"), join(folder, "busybox"));
  const boot = join(tree, "boot");
  const kernel = (await readdir(boot)).find((file) =>
    file.startsWith("vmlinuz-"),
  );
  if (kernel !== undefined)
    await copyFile(join(boot, kernel), join(folder, "vmlinuz"));
  await copyModules(join(tree, "lib", "modules"), join(folder, "modules"));
  await rm(tree, { recursive: true });
}

/**
 * @param {string} folder
 * @param {string} tree
 */
async function unpack(folder, tree) {
  let kernel = await newestKernel();
  // A fresh machine has no lists of packages, and only root gets them.
  if (kernel === undefined && process.getuid?.() === 0) {
    await capture("apt-get", ["update", "-qq"]);
    kernel = await newestKernel();
  }
  const packages = ["shim-signed", "grub-efi-amd64-signed", "busybox-static"];
  await capture("apt-get", ["download", "-qq", ...packages, kernel ?? ""], {
    cwd: folder,
  });
  for (const file of await readdir(folder)) {
    if (!file.endsWith(".deb")) continue;
    await capture("dpkg-deb", ["-x", join(folder, file), tree]);
    await rm(join(folder, file));
  }
}

/** @returns {Promise<string | undefined>} the package that `linux-image-amd64` stands for */
async function newestKernel() {
  const { stdout } = await capture(
    "apt-cache",
    ["depends", "linux-image-amd64"],
    // In a user's own language it says “Depends” otherwise.
    { env: { ...process.env, LC_ALL: "C" } },
  );
  return /^\s*Depends: (linux-image-\S+)$/m.exec(stdout)?.[1];
}

/**
 * Copies the wanted modules and what they depend on, as the modules themselves say: the list that tells is made when
 * the package is installed.
 * @param {string} from `lib/modules`
 * @param {string} to
 */
async function copyModules(from, to) {
  const files = new Map(
    (await readdir(from, { recursive: true }))
      .filter((path) => path.endsWith(".ko"))
      .map((path) => [moduleName(path), join(from, path)]),
  );
  await mkdir(to, { mode: 0o700 });
  /** @type {string[]} */
  const order = [];
  /** @param {string} module */
  const take = async (module) => {
    const file = files.get(module);
    if (file === undefined || order.includes(basename(file))) return;
    const text = (await readFile(file)).toString("latin1");
    const depends = text
      .split("\0")
      .find((line) => line.startsWith("depends="))
      ?.slice("depends=".length);
    for (const other of depends?.split(",") ?? [])
      await take(moduleName(other));
    await copyFile(file, join(to, basename(file)));
    order.push(basename(file));
  };
  for (const module of wanted) await take(module);
  await writeFile(join(to, "order"), `${order.join("\n")}\n`);
}

/** @param {string} path */
const moduleName = (path) => basename(path, ".ko").replaceAll("-", "_");
