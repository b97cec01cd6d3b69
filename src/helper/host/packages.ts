import type { QemuArchitecture } from "../qemu/commandLine.ts";
import { findProgram } from "../processes/programs.ts";

export const toolNames = [
  "qemuSystem",
  "qemuImg",
  "ssh",
  "mmdebstrap",
  "passt",
] as const;
export type ToolName = (typeof toolNames)[number];

/** How one package manager installs, and what it calls the packages; a tool that it doesn't have is left out. */
export interface PackageManager {
  /** Its program. */
  readonly name: string;
  readonly install: readonly string[];
  /** It changes the system, so it has to run as root. */
  readonly root: boolean;
  readonly packages: (
    tool: ToolName,
    arch: QemuArchitecture,
  ) => readonly string[];
}

type Names = Partial<Record<Exclude<ToolName, "qemuSystem">, string>> & {
  readonly qemu: Readonly<Record<QemuArchitecture, readonly string[]>>;
};

const manager = (
  name: string,
  install: readonly string[],
  root: boolean,
  { qemu, ...others }: Names,
): PackageManager => ({
  name,
  install,
  root,
  packages: (tool, arch) => {
    if (tool === "qemuSystem") return qemu[arch];
    const found = others[tool];
    return found === undefined ? [] : [found];
  },
});

/** In the order in which they are looked for. */
export const packageManagers: readonly PackageManager[] = [
  manager("apt-get", ["apt-get", "install", "--yes"], true, {
    qemu: {
      x86_64: ["qemu-system-x86"],
      aarch64: ["qemu-system-arm", "qemu-efi-aarch64"],
    },
    qemuImg: "qemu-utils",
    ssh: "openssh-client",
    mmdebstrap: "mmdebstrap",
    passt: "passt",
  }),
  manager("dnf", ["dnf", "install", "--assumeyes"], true, {
    qemu: {
      x86_64: ["qemu-system-x86-core"],
      aarch64: ["qemu-system-aarch64-core", "edk2-aarch64"],
    },
    qemuImg: "qemu-img",
    ssh: "openssh-clients",
    mmdebstrap: "mmdebstrap",
    passt: "passt",
  }),
  manager("zypper", ["zypper", "--non-interactive", "install"], true, {
    qemu: {
      x86_64: ["qemu-x86"],
      aarch64: ["qemu-arm", "qemu-uefi-aarch64"],
    },
    qemuImg: "qemu-img",
    ssh: "openssh-clients",
    passt: "passt",
  }),
  manager("pacman", ["pacman", "-S", "--needed", "--noconfirm"], true, {
    qemu: {
      x86_64: ["qemu-system-x86"],
      aarch64: ["qemu-system-aarch64", "edk2-aarch64"],
    },
    qemuImg: "qemu-img",
    ssh: "openssh",
    passt: "passt",
  }),
  manager("apk", ["apk", "add"], true, {
    qemu: {
      x86_64: ["qemu-system-x86_64"],
      aarch64: ["qemu-system-aarch64", "aavmf"],
    },
    qemuImg: "qemu-img",
    ssh: "openssh-client-default",
    passt: "passt",
  }),
  manager("brew", ["brew", "install"], false, {
    qemu: { x86_64: ["qemu"], aarch64: ["qemu"] },
    qemuImg: "qemu",
    ssh: "openssh",
  }),
  manager(
    "winget",
    ["winget", "install", "--exact", "--accept-package-agreements"],
    false,
    {
      qemu: {
        x86_64: ["SoftwareFreedomConservancy.QEMU"],
        aarch64: ["SoftwareFreedomConservancy.QEMU"],
      },
      qemuImg: "SoftwareFreedomConservancy.QEMU",
      ssh: "Microsoft.OpenSSH.Preview",
    },
  ),
];

/** The package manager of this host, if it is one that we know. */
export async function findPackageManager(
  env: NodeJS.ProcessEnv = process.env,
): Promise<PackageManager | undefined> {
  for (const candidate of packageManagers)
    if ((await findProgram(candidate.name, env)) !== undefined)
      return candidate;
  return undefined;
}

/**
 * The exact command, as an argument array, that installs what these tools need. Undefined when this package manager
 * has none of it. Pure.
 */
export function installCommand(
  packageManager: PackageManager,
  tools: readonly ToolName[],
  arch: QemuArchitecture,
  isRoot: boolean = process.getuid?.() === 0,
): string[] | undefined {
  const packages = new Set(
    tools.flatMap((tool) => packageManager.packages(tool, arch)),
  );
  if (packages.size === 0) return undefined;
  return [
    ...(packageManager.root && !isRoot ? ["sudo"] : []),
    ...packageManager.install,
    ...packages,
  ];
}
