// Programs of the host that Guesthouse needs, and what each package manager calls them.
import { spawnSync } from "node:child_process";

const isArm = process.arch === "arm64";

/**
 * @typedef {"apt-get" | "dnf" | "pacman" | "zypper" | "brew" | "winget"} ManagerName
 * @typedef {object} Program
 * @property {string} command what must be on PATH
 * @property {Partial<Record<ManagerName, string | string[]>>} packages what brings it, per package manager
 * @property {() => boolean} [works] whether what is on PATH has all that its packages would bring
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
 * Compiling what SSH connections into a dev container need in the VM. With musl its programs are a tenth as large.
 * @type {Program[]}
 */
export const landingPrograms =
  process.platform === "linux"
    ? [
        sameEverywhere("gcc", "gcc", { "apt-get": ["gcc", "libc6-dev"] }),
        {
          command: "musl-gcc",
          packages: { "apt-get": "musl-tools", dnf: "musl-gcc" },
          optional: true,
        },
      ]
    : [];

/** Compiling the native parts of VS Code's server. @type {Program[]} */
export const nativeBuildPrograms = [
  sameEverywhere("c++", "gcc-c++", { "apt-get": "g++", pacman: "gcc" }),
  sameEverywhere("make", "make"),
  sameEverywhere("python3", "python3", { pacman: "python" }),
];

/**
 * What tests check Guesthouse's work with, and make disks and repositories with. Those that can't be had skip the tests
 * that need them.
 * @type {Program[]}
 */
export const testPrograms = [
  sameEverywhere("git", "git"),
  ...[
    sameEverywhere("cpio", "cpio"),
    sameEverywhere("openssl", "openssl"),
    sameEverywhere("pgrep", "procps", {
      dnf: "procps-ng",
      pacman: "procps-ng",
    }),
    {
      ...sameEverywhere("python3", "python3", {
        "apt-get": ["python3", "python3-yaml"],
        dnf: ["python3", "python3-pyyaml"],
        pacman: ["python", "python-yaml"],
      }),
      works: () => spawnSync("python3", ["-c", "import yaml"]).status === 0,
    },
    sameEverywhere("ip", "iproute2", { dnf: "iproute" }),
    sameEverywhere("isoinfo", "genisoimage", { pacman: "cdrtools" }),
    sameEverywhere("genisoimage", "genisoimage", { pacman: "cdrtools" }),
    sameEverywhere("7z", "p7zip", { "apt-get": "p7zip-full" }),
    sameEverywhere("bsdtar", "bsdtar", {
      "apt-get": "libarchive-tools",
      pacman: "libarchive",
    }),
    sameEverywhere("wimlib-imagex", "wimlib-utils", {
      "apt-get": "wimtools",
      pacman: "wimlib",
    }),
    sameEverywhere("swtpm", "swtpm"),
    sameEverywhere("mke2fs", "e2fsprogs"),
    sameEverywhere("mcopy", "mtools"),
    sameEverywhere("mkfs.vfat", "dosfstools"),
    sameEverywhere("sfdisk", "fdisk", {
      dnf: "util-linux",
      pacman: "util-linux",
      zypper: "util-linux",
    }),
    // The boot sector is in a package that the other only recommends.
    sameEverywhere("syslinux", "syslinux", {
      "apt-get": ["syslinux", "syslinux-common"],
    }),
  ].map((program) => ({ ...program, optional: true })),
];

/**
 * Real ends of a wire. Their packages also start them as services of the machine, so they are for machines without a
 * service manager: a container, a build's sandbox.
 * @type {Program[]}
 */
export const testServers = [
  sameEverywhere("sshd", "openssh-server", { pacman: "openssh" }),
  sameEverywhere("qemu-ga", "qemu-guest-agent"),
  // A container engine, and what a dev container's SSH server is made of.
  sameEverywhere("dockerd", "docker", {
    "apt-get": "docker.io",
    dnf: "moby-engine",
  }),
  sameEverywhere("runc", "runc"),
  sameEverywhere("iptables", "iptables"),
  sameEverywhere("patchelf", "patchelf"),
  sameEverywhere("rsync", "rsync"),
  sameEverywhere("busybox", "busybox", { "apt-get": "busybox-static" }),
].map((program) => ({ ...program, optional: true }));

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
