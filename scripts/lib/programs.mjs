// Programs of the host that Guesthouse needs, and what each package manager calls them.

const isArm = process.arch === "arm64";

/**
 * @typedef {"apt-get" | "dnf" | "pacman" | "zypper" | "brew" | "winget"} ManagerName
 * @typedef {object} Program
 * @property {string} command what must be on PATH
 * @property {Partial<Record<ManagerName, string | string[]>>} packages what brings it, per package manager
 * @property {boolean} [optional] the product works without it, some features don't
 */

/** Running virtual machines. @type {Program[]} */
export const virtualMachinePrograms = [
  {
    command: isArm ? "qemu-system-aarch64" : "qemu-system-x86_64",
    packages: {
      "apt-get": isArm
        ? ["qemu-system-arm", "qemu-efi-aarch64"]
        : ["qemu-system-x86", "ovmf"],
      dnf: isArm ? "qemu-system-aarch64" : "qemu-system-x86",
      pacman: isArm ? "qemu-system-aarch64" : "qemu-system-x86",
      zypper: isArm ? "qemu-arm" : "qemu-x86",
      brew: "qemu",
      winget: "SoftwareFreedomConservancy.QEMU",
    },
  },
  {
    command: "qemu-img",
    packages: {
      "apt-get": "qemu-utils",
      dnf: "qemu-img",
      pacman: "qemu-img",
      zypper: "qemu-tools",
      brew: "qemu",
      winget: "SoftwareFreedomConservancy.QEMU",
    },
  },
  {
    command: "ssh",
    packages: {
      "apt-get": "openssh-client",
      dnf: "openssh-clients",
      pacman: "openssh",
      zypper: "openssh-clients",
    },
  },
  // Keeps guests from the host's loopback; it runs on Linux only.
  ...(process.platform === "linux"
    ? [{ ...sameEverywhere("passt", "passt"), optional: true }]
    : []),
];

/** Building an image from its distribution's mirror; Linux only. @type {Program[]} */
export const imageBuildPrograms = [
  {
    command: "mmdebstrap",
    packages: { "apt-get": "mmdebstrap", dnf: "mmdebstrap" },
    optional: true,
  },
  sameEverywhere("xz", "xz", { "apt-get": "xz-utils" }),
  sameEverywhere("zstd", "zstd"),
  sameEverywhere("cpio", "cpio"),
  sameEverywhere("mkfs.ext4", "e2fsprogs"),
  sameEverywhere("newuidmap", "shadow", {
    "apt-get": "uidmap",
    dnf: "shadow-utils",
  }),
];

/**
 * Making and reading what stands in for the media of Windows; a test that lacks one is skipped.
 * @type {Program[]}
 */
export const windowsMediaPrograms = [
  sameEverywhere("genisoimage", "genisoimage"),
  sameEverywhere("isoinfo", "genisoimage"),
  sameEverywhere("7z", "p7zip", { "apt-get": "p7zip-full" }),
  sameEverywhere("bsdtar", "bsdtar", { "apt-get": "libarchive-tools" }),
  sameEverywhere("wimlib-imagex", "wimlib-utils", { "apt-get": "wimtools" }),
  sameEverywhere("mformat", "mtools"),
  sameEverywhere("swtpm", "swtpm"),
].map((program) => ({ ...program, optional: true }));

/** Compiling the native parts of VS Code's server. @type {Program[]} */
export const nativeBuildPrograms = [
  sameEverywhere("c++", "gcc-c++", { "apt-get": "g++", pacman: "gcc" }),
  sameEverywhere("make", "make"),
  sameEverywhere("python3", "python3", { pacman: "python" }),
];

/** VS Code in a browser, for the editor tests. @type {Program[]} */
export const browserPrograms = [sameEverywhere("chromium", "chromium")];

/**
 * A program whose package has one name in Linux distributions, with exceptions.
 * @param {string} command
 * @param {string} name
 * @param {Program["packages"]} [exceptions]
 * @returns {Program}
 */
function sameEverywhere(command, name, exceptions = {}) {
  const packages = { "apt-get": name, dnf: name, pacman: name, zypper: name };
  return { command, packages: { ...packages, ...exceptions } };
}
