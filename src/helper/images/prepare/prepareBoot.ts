import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { replaceFile } from "../../../base/files.ts";
import type { Log } from "../../../base/log.ts";
import { makeBootFiles } from "../build/initrd.ts";
import { planModules, rootDiskModules } from "../build/modules.ts";
import type { GuestScripts } from "./guestScripts.ts";
import type { MadeImage } from "../golden/made.ts";
import {
  type GuestKernel,
  type MinimalRoot,
  minimalArguments,
  parseGuestKernel,
  parseMinimalRoot,
} from "./prepareKernel.ts";

type BootParts = Pick<
  MadeImage,
  "kernelPath" | "initrdPath" | "kernelArguments"
>;

/**
 * Takes out of a running guest what QEMU starts directly: an unpacked kernel with an initrd of ours where the guest
 * allows it, else the guest's own two files, else nothing, and the image goes on booting through its boot loader.
 */
export async function takeBootFiles(
  guest: GuestScripts,
  workFolder: string,
  { resources, log }: { readonly resources: string; readonly log: Log },
  signal: AbortSignal,
): Promise<BootParts> {
  const kernelPath = join(workFolder, "kernel");
  const initrdPath = join(workFolder, "initrd");
  const boot = parseGuestKernel(await guest.prepare(["kernel"], signal));
  if (boot === undefined) {
    log.warn("image keeps its own boot loader: no kernel to be found");
    return {};
  }
  await guest.fetch(boot.kernel, kernelPath, signal);
  try {
    const root = parseMinimalRoot(await guest.prepare(["minimal"], signal));
    if (root !== undefined) {
      const tree = join(workFolder, "tree");
      await copyTree(
        guest,
        { release: boot.release, busybox: root.busybox, kernelPath },
        tree,
        signal,
      );
      const initScript = await readFile(
        join(resources, "guest", "debian", "initrd-init"),
      );
      const made = await makeBootFiles(tree, initScript, signal);
      await rm(tree, { recursive: true, force: true });
      await replaceFile(kernelPath, made.kernel);
      await replaceFile(initrdPath, made.initrd);
      return {
        kernelPath,
        initrdPath,
        kernelArguments: minimalArguments(boot.arguments, root),
      };
    }
  } catch (error) {
    signal.throwIfAborted();
    log.warn("image keeps its own initrd", { error });
  }
  await guest.fetch(boot.initrd, initrdPath, signal);
  return { kernelPath, initrdPath, kernelArguments: boot.arguments };
}

type TreeParts = Pick<GuestKernel, "release"> &
  Pick<MinimalRoot, "busybox"> & { readonly kernelPath: string };

/** What an initrd is made of, laid out as in an installed system. */
async function copyTree(
  guest: GuestScripts,
  { release, busybox, kernelPath }: TreeParts,
  tree: string,
  signal: AbortSignal,
): Promise<void> {
  const fetchTo = async (remote: string, ...local: string[]): Promise<void> => {
    const path = join(tree, ...local);
    await mkdir(dirname(path), { recursive: true });
    await guest.fetch(remote, path, signal);
  };
  const home = `/lib/modules/${release}`;
  const index = ["modules.dep", "modules.builtin"];
  for (const name of index) await fetchTo(`${home}/${name}`, home, name);
  const [dependencies = "", builtin = ""] = await Promise.all(
    index.map((name) => readFile(join(tree, home, name), "utf8")),
  );
  for (const path of planModules({ dependencies, builtin }, rootDiskModules))
    await fetchTo(`${home}/${path}`, home, path);
  await fetchTo(busybox, "bin", "busybox");
  await mkdir(join(tree, "boot"), { recursive: true });
  await replaceFile(
    join(tree, "boot", `vmlinuz-${release}`),
    await readFile(kernelPath),
  );
}
