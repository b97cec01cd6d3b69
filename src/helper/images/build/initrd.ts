import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { failed } from "../../../protocol/failure.ts";
import { run } from "../tools/command.ts";
import { type CpioEntry, cpioArchive } from "./cpio.ts";
import { bzImagePayload, compressionOf, directBootKernel } from "./kernel.ts";
import { planModules, rootDiskModules } from "./modules.ts";

export interface BootFiles {
  /** An uncompressed kernel where the architecture and its kernel allow it, else the distribution's file. */
  readonly kernel: Buffer;
  readonly initrd: Buffer;
  readonly kernelVersion: string;
  /** False: the kernel unpacks itself at every boot (about 3 s under emulation). */
  readonly uncompressed: boolean;
}

/**
 * Takes kernel, modules and busybox out of an installed tree and makes what QEMU starts directly.
 * Throws `images.buildFailed` when one of them is missing.
 */
export async function makeBootFiles(
  tree: string,
  initScript: Uint8Array,
  signal: AbortSignal,
): Promise<BootFiles> {
  const kernelVersion = await installedKernel(tree);
  const original = await readFile(
    join(tree, "boot", `vmlinuz-${kernelVersion}`),
  );
  const payload = bzImagePayload(original) ?? original;
  const unpacked = await decompress(payload, signal);
  const direct = directBootKernel(unpacked);
  const kernel =
    direct ??
    // arm64's image needs no entry note; x86's unpacked kernel without one can't be started.
    (payload === original ? unpacked : original);
  return {
    kernel,
    initrd: await makeInitrd(tree, kernelVersion, initScript, signal),
    kernelVersion,
    uncompressed: kernel !== original || payload === original,
  };
}

async function installedKernel(tree: string): Promise<string> {
  const versions = (await readdir(join(tree, "boot")))
    .filter((name) => name.startsWith("vmlinuz-"))
    .map((name) => name.slice("vmlinuz-".length))
    .sort();
  const newest = versions.at(-1);
  if (newest !== undefined) return newest;
  throw failed(
    "images.buildFailed",
    "The installed system has no kernel in /boot.",
    {
      remedy:
        "The mirror gave no kernel package; try again later or with another mirror.",
      actions: ["showLog", "retry"],
    },
  );
}

async function makeInitrd(
  tree: string,
  kernelVersion: string,
  initScript: Uint8Array,
  signal: AbortSignal,
): Promise<Buffer> {
  const home = join(tree, "lib", "modules", kernelVersion);
  const index = {
    dependencies: await readFile(join(home, "modules.dep"), "utf8"),
    builtin: await readFile(join(home, "modules.builtin"), "utf8"),
  };
  let order: string[];
  try {
    order = planModules(index, rootDiskModules);
  } catch (error) {
    throw failed(
      "images.buildFailed",
      `Kernel ${kernelVersion} can't mount the root disk: ${error instanceof Error ? error.message : String(error)}.`,
      {
        remedy: "Report this; another mirror may have another kernel.",
        cause: error,
      },
    );
  }
  const names: string[] = [];
  const modules: CpioEntry[] = [];
  for (const path of order) {
    // The initrd's insmod reads plain modules only; newer Debian compresses them.
    const name = basename(path).replace(/\.(xz|gz|zst)$/, "");
    names.push(name);
    modules.push({
      kind: "file",
      path: `modules/${name}`,
      data: await decompress(await readFile(join(home, path)), signal),
    });
  }
  const folders = ["bin", "dev", "modules", "proc", "root", "sys"];
  return cpioArchive([
    ...folders.map((path): CpioEntry => ({ kind: "folder", path })),
    // The kernel opens it for the first program before anything is mounted.
    { kind: "characterDevice", path: "dev/console", major: 5, minor: 1 },
    {
      kind: "file",
      path: "bin/busybox",
      data: await readFile(join(tree, "bin", "busybox")),
      executable: true,
    },
    { kind: "file", path: "init", data: initScript, executable: true },
    {
      kind: "file",
      path: "modules/order",
      data: Buffer.from(names.map((name) => `${name}\n`).join("")),
    },
    ...modules,
  ]);
}

async function decompress(data: Buffer, signal: AbortSignal): Promise<Buffer> {
  switch (compressionOf(data)) {
    case "none":
      return data;
    case "gzip":
      return gunzipSync(data);
    case "xz":
      return run(
        { file: "xz", args: ["--decompress", "--stdout"], input: data },
        signal,
      );
    case "zstd":
      return run(
        { file: "zstd", args: ["--decompress", "--stdout"], input: data },
        signal,
      );
  }
}
