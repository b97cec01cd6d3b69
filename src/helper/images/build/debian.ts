import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateFolder, replaceFile } from "../../../base/files.ts";
import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import type { Architecture } from "../../../protocol/images.ts";
import { findProgram, programPath } from "../../processes/programs.ts";
import { requireSpace } from "../../store/diskSpace.ts";
import { type ImageFacts, readImageFacts } from "../disks/facts.ts";
import { type Command, requirePrograms, run } from "../tools/command.ts";
import { convertDisk, makeRootDisk } from "./disk.ts";
import { makeBootFiles } from "./initrd.ts";
import { kernelArguments } from "./kernelArguments.ts";
import { type BuildInputs, readBuildInputs } from "./key.ts";
import { type GuestParts, type LayerChoice, layerFolders } from "./layers.ts";
import {
  aptConf,
  type Mirrors,
  proxySettings,
  publicMirrors,
  sourcesList,
} from "./mirrors.ts";
import {
  chooseIsolation,
  type Isolation,
  isolated,
} from "../tools/namespace.ts";
import { installedPackages, type InstalledPackage } from "./packages.ts";
import { type BuildProgress, installProgress } from "./progress.ts";
import { unreachablePattern } from "../tools/toolFailure.ts";

export interface DebianBuild extends LayerChoice {
  readonly arch: Architecture;
  /** See `readHostMirrors`. */
  readonly mirrors: Mirrors;
  readonly parts: GuestParts;
  /** Gets the results; the build's own files in it are gone afterwards. Needs about 4 GiB. */
  readonly workDir: string;
  /** Keeps downloaded packages, which makes the next build faster. */
  readonly packageCache: string;
  /** Virtual size; the disk only takes what is written. Default 20. */
  readonly diskGiB?: number;
}

export interface BuiltImage {
  /** qcow2, about 600 MB. */
  readonly diskPath: string;
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly kernelArguments: string;
  readonly kernelVersion: string;
  readonly packages: readonly InstalledPackage[];
  readonly facts: ImageFacts;
  readonly buildInputs: BuildInputs;
}

const neededBytes = 4 * 2 ** 30;
const defaultDiskGiB = 20;

/** Programs of the host and the Debian packages that have them. */
const programs = {
  mmdebstrap: "mmdebstrap",
  unshare: "util-linux",
  mke2fs: "e2fsprogs",
  "qemu-img": "qemu-utils",
  xz: "xz-utils",
};

/**
 * Builds the golden Debian image from a package mirror: mmdebstrap, then a file system made from the folder, without
 * loop devices, as root or as an ordinary user with subordinate ids. Takes one to two minutes.
 *
 * A host mirror that can't be reached is replaced by Debian's public one. Throws `host.toolMissing`,
 * `host.notSupported`, `host.diskFull`, `images.buildFailed` or `cancelled`; in each case children are ended and
 * nothing but the package cache is left in place.
 */
export async function buildDebian(
  build: DebianBuild,
  onProgress: (progress: BuildProgress) => void,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<BuiltImage> {
  await requirePrograms(programs);
  await requireKeyring();
  if (build.arch !== hostArchitecture())
    await requirePrograms({ "arch-test": "arch-test qemu-user-static" });
  await makePrivateFolder(build.workDir);
  await mkdir(build.packageCache, { recursive: true });
  await requireSpace(build.workDir, neededBytes, "Building the image");
  const isolation = await chooseIsolation(process.getuid?.() ?? 0, signal);

  const out = join(build.workDir, "out");
  const scratch = join(build.workDir, "scratch");
  await clear(isolation, out, scratch);
  await makePrivateFolder(scratch);
  await makePrivateFolder(out);
  try {
    const image = await inScratch(
      build,
      { isolation, out, scratch },
      { onProgress, log },
      signal,
    );
    await clear(isolation, scratch);
    return image;
  } catch (error) {
    await clear(isolation, out, scratch);
    throw error;
  }
}

interface Places {
  readonly isolation: Isolation;
  readonly out: string;
  readonly scratch: string;
}

interface Listeners {
  readonly onProgress: (progress: BuildProgress) => void;
  readonly log: (line: string) => void;
}

async function inScratch(
  build: DebianBuild,
  { isolation, out, scratch }: Places,
  { onProgress, log }: Listeners,
  signal: AbortSignal,
): Promise<BuiltImage> {
  const { arch, release, layers } = build;
  const diskGiB = build.diskGiB ?? defaultDiskGiB;
  const buildInputs = await readBuildInputs(build.parts, {
    ...{ release, layers, arch, diskGiB },
  });
  const tree = join(scratch, "tree");
  const factsPath = join(scratch, "facts.json");
  const progress = installProgress(expectedPackages);
  const install = async (mirrors: Mirrors): Promise<void> => {
    const command = await treeCommand(build, mirrors, buildInputs, scratch);
    await run(
      isolated(isolation, {
        ...command,
        onLine: (line) => {
          log(line);
          const step = progress(line);
          if (step !== undefined) onProgress(step);
        },
      }),
      signal,
    );
  };
  onProgress({ stage: "packages" });
  try {
    await install(build.mirrors);
  } catch (error) {
    if (build.mirrors.origin === "public" || !isUnreachable(error)) throw error;
    log(
      `I: ${build.mirrors.archive} can't be reached; using ${publicMirrors.archive}`,
    );
    await clear(isolation, tree);
    await install(publicMirrors);
  }
  const facts = readImageFacts(await readFile(factsPath, "utf8"));
  const packages = installedPackages(
    await readFile(join(tree, "var", "lib", "dpkg", "status"), "utf8"),
  );

  onProgress({ stage: "kernel" });
  const initScript = await readFile(
    join(build.parts.resources, "debian", "initrd-init"),
  );
  const boot = await makeBootFiles(tree, initScript, signal);
  if (!boot.uncompressed)
    log(
      `W: kernel ${boot.kernelVersion} has no direct entry; it unpacks itself at every boot`,
    );
  const kernelPath = join(out, "kernel");
  const initrdPath = join(out, "initrd");
  await replaceFile(kernelPath, boot.kernel);
  await replaceFile(initrdPath, boot.initrd);

  onProgress({ stage: "disk" });
  const rawPath = join(scratch, "disk.raw");
  await makeRootDisk({ tree, rawPath, sizeGiB: diskGiB }, isolation, signal);
  onProgress({ stage: "convert" });
  const diskPath = join(out, "disk.qcow2");
  await convertDisk(rawPath, diskPath, signal);
  return {
    diskPath,
    kernelPath,
    initrdPath,
    kernelArguments: kernelArguments(arch),
    kernelVersion: boot.kernelVersion,
    packages,
    facts,
    buildInputs,
  };
}

/** Only for the progress bar: how many packages end up installed. */
const expectedPackages = 230;

async function treeCommand(
  build: DebianBuild,
  mirrors: Mirrors,
  inputs: BuildInputs,
  scratch: string,
): Promise<Command> {
  const resources = join(build.parts.resources, "debian");
  const sources = join(scratch, "sources.list");
  const conf = join(scratch, "apt.conf");
  await writeFile(sources, sourcesList(mirrors, build.release));
  await writeFile(conf, aptConf(await hostProxies()));
  return {
    // mmdebstrap starts a Python program for each package: the system's, not one that a version manager puts before it.
    file: "env",
    args: [
      `PATH=/usr/sbin:/usr/bin:/sbin:/bin:${programPath(process.env)}`,
      "sh",
      join(resources, "build-tree.sh"),
    ],
    env: {
      GH_TREE: join(scratch, "tree"),
      GH_RESOURCES: resources,
      GH_RELEASE: build.release,
      GH_ARCH: build.arch,
      GH_PACKAGES: inputs.packages.join(","),
      GH_SOURCES: sources,
      GH_APT_CONF: conf,
      GH_CACHE: build.packageCache,
      GH_COMPILED: build.parts.compiled,
      GH_LAYERS: layerFolders(build.parts.resources, build).join("\n"),
      GH_FACTS: join(scratch, "facts.json"),
      TMPDIR: scratch,
    },
  };
}

async function hostProxies(): Promise<string[]> {
  const aptConfig = await findProgram("apt-config");
  if (aptConfig === undefined) return [];
  const dump = await run(
    { file: aptConfig, args: ["dump"] },
    AbortSignal.timeout(10_000),
  );
  return proxySettings(dump.toString());
}

const isUnreachable = (error: unknown): boolean =>
  error instanceof GuesthouseError &&
  error.failure.code === "images.buildFailed" &&
  unreachablePattern.test(error.failure.message);

/** The trees of a rootless build belong to subordinate ids, which only the namespace may remove. */
async function clear(
  isolation: Isolation,
  ...paths: readonly string[]
): Promise<void> {
  if (isolation === "user")
    await run(
      isolated(isolation, { file: "rm", args: ["-rf", "--", ...paths] }),
      AbortSignal.timeout(120_000),
    );
  for (const path of paths) await rm(path, { recursive: true, force: true });
}

const hostArchitecture = (): string =>
  process.arch === "x64" ? "amd64" : process.arch;

async function requireKeyring(): Promise<void> {
  for (const name of ["gpg", "pgp"])
    try {
      await readFile(`/usr/share/keyrings/debian-archive-keyring.${name}`);
      return;
    } catch {
      continue;
    }
  throw failed(
    "host.toolMissing",
    "Building a Debian image needs Debian's signing keys, which this host doesn't have.",
    {
      remedy: "Install with: sudo apt install debian-archive-keyring",
      actions: ["installTools", "doctor"],
    },
  );
}
