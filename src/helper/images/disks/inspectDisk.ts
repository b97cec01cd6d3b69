import { open } from "node:fs/promises";
import { failed } from "../../../protocol/failure.ts";
import type { ImageCheck } from "../../../protocol/images.ts";
import { findProgram } from "../../processes/programs.ts";
import { run } from "../tools/command.ts";
import {
  type FileSystem,
  type Partition,
  bootsByUefi,
  fileSystemOf,
  readPartitions,
} from "./partitions.ts";
import { reasonsAgainst, reportOf } from "./validate.ts";
import { check, error, ok } from "./verdict.ts";

export interface DiskFindings {
  /** What the disk is meant to be started by, as far as a PC has a choice. */
  readonly firmware: "bios" | "uefi";
}

/**
 * Looks into a raw disk without starting it, so that one that can never become an image is refused within seconds and
 * not after a boot that hangs (B11). Sees ext file systems where e2fsprogs is installed; what it can't see passes.
 * Throws `images.invalid` with the reasons.
 */
export async function inspectDisk(
  name: string,
  rawPath: string,
  signal: AbortSignal,
): Promise<DiskFindings> {
  const { found, firmware } = await lookAt(rawPath);
  const kinds = new Set(found.map(({ kind }) => kind));
  if (kinds.size === 1 && kinds.has("unknown"))
    throw unusable(name, [
      check(
        "disk.fileSystem",
        "File system",
        error(
          "The disk holds no file system that is known here; it is empty or encrypted.",
          "Give a disk with an installed Linux system.",
        ),
      ),
    ]);
  // Other file systems can't be read here; the root may be on one of them.
  if (kinds.has("xfs") || kinds.has("btrfs") || kinds.has("lvm"))
    return { firmware };
  const debugfs = await findProgram("debugfs");
  if (debugfs === undefined) return { firmware };
  for (const { kind, partition } of found) {
    if (kind !== "ext") continue;
    const root = await readRoot(debugfs, rawPath, partition, signal);
    if (root === undefined) continue;
    const checks = rootChecks(root);
    if (!reportOf(checks, new Date()).usable) throw unusable(name, checks);
    break;
  }
  return { firmware };
}

function unusable(name: string, checks: readonly ImageCheck[]): unknown {
  return failed(
    "images.invalid",
    `${name} can't be used. ${reasonsAgainst(reportOf(checks, new Date()))}`,
    {
      remedy:
        checks.find(({ outcome }) => outcome === "error")?.remedy ??
        "Make the image anew.",
    },
  );
}

async function lookAt(rawPath: string): Promise<
  DiskFindings & {
    readonly found: readonly {
      readonly kind: FileSystem;
      readonly partition: Partition;
    }[];
  }
> {
  const disk = await open(rawPath, "r");
  try {
    const { size } = await disk.stat();
    const found = [];
    for (const partition of await readPartitions(disk, size))
      found.push({ kind: await fileSystemOf(disk, partition), partition });
    return { found, firmware: (await bootsByUefi(disk)) ? "uefi" : "bios" };
  } finally {
    await disk.close();
  }
}

/** Names in some folders of a root file system; a folder that isn't there has none. */
export type RootListing = Readonly<Record<string, readonly string[]>>;

const folders = [
  "/",
  "/lib/modules",
  "/usr/lib/modules",
  "/sbin",
  "/usr/sbin",
  "/bin",
  "/usr/bin",
  "/lib/systemd",
  "/usr/lib/systemd",
];

async function readRoot(
  debugfs: string,
  rawPath: string,
  { startBytes }: Partition,
  signal: AbortSignal,
): Promise<RootListing | undefined> {
  const listing: Record<string, readonly string[]> = {};
  for (const folder of folders) {
    const output = await run(
      {
        file: debugfs,
        args: [
          "-R",
          `ls -p ${folder}`,
          `${rawPath}?offset=${String(startBytes)}`,
        ],
      },
      signal,
    );
    listing[folder] = parseListing(output.toString("utf8"));
  }
  // A boot partition is no root.
  return listing["/"]?.includes("etc") === true ? listing : undefined;
}

/** `debugfs ls -p`: `/<inode>/<mode>/<uid>/<gid>/<name>/<size>/`. Pure. */
export function parseListing(output: string): string[] {
  return output
    .split("\n")
    .map((line) => line.split("/")[5])
    .filter(
      (name): name is string =>
        name !== undefined && name !== "" && name !== "." && name !== "..",
    );
}

/** What is wanted of a root file system before it is worth starting. Pure. */
export function rootChecks(root: RootListing): ImageCheck[] {
  const has = (name: string, ...places: string[]): boolean =>
    places.some((place) => root[place]?.includes(name) === true);
  const binaries = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"];
  const modules = [
    ...(root["/lib/modules"] ?? []),
    ...(root["/usr/lib/modules"] ?? []),
  ];
  return [
    check(
      "kernel.present",
      "Kernel",
      modules.length > 0
        ? ok(`${modules.join(", ")}.`)
        : error(
            "There is no kernel: /lib/modules is empty or missing, as in a container's file system.",
            "Install a kernel package (for example linux-image-amd64) in the image and import it again.",
          ),
    ),
    check(
      "init",
      "Init",
      has("init", ...binaries) ||
        has("systemd", "/lib/systemd", "/usr/lib/systemd")
        ? ok("there is one.")
        : error(
            "There is no init: nothing would start after the kernel.",
            "Install systemd (systemd-sysv) or OpenRC in the image and import it again.",
          ),
    ),
    check(
      "cloudInit",
      "cloud-init",
      has("cloud-init", ...binaries)
        ? ok("is installed.")
        : error(
            "cloud-init is not installed, so nobody can log in to prepare it.",
            "Install cloud-init in the image and import it again, or take the distribution's cloud image.",
          ),
    ),
    check(
      "ssh.server",
      "SSH server",
      has("sshd", ...binaries)
        ? ok("sshd is installed.")
        : error(
            "sshd is not installed, so nobody can get in to prepare it.",
            "Install openssh-server in the image and import it again.",
          ),
    ),
  ];
}
