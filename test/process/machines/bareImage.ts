import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { GoldenImage } from "../../../src/helper/images/golden/goldenImage.ts";
import type { Environment } from "../../../src/helper/machines/boot/environment.ts";
import { inspectQemu } from "../../../src/helper/qemu/inspect.ts";
import type { Layout } from "../../../src/helper/store/layout.ts";
import { qemuBinary } from "../qemu/workbench.ts";
import { multiboot } from "../snapshots/bareMachine.ts";

/** What this host runs machines with, emulated. */
export async function emulation(): Promise<Environment> {
  const binary = await qemuBinary();
  return {
    binary,
    arch: "x86_64",
    qemu: await inspectQemu(binary),
    accelerator: { kind: "tcg", reason: "" },
    network: { backend: "user" },
  } as Environment;
}

/** An image whose machines are guests without an operating system; its disk is what `home` made. */
export async function bareImage(
  layout: Layout,
  guest: Parameters<typeof multiboot>[0] = "counting",
): Promise<GoldenImage> {
  const kernel = join(layout.images, "guest");
  await writeFile(kernel, multiboot(guest));
  return {
    name: "bare",
    digest: "sha256:0",
    architecture: "amd64",
    os: "linux",
    defaultUser: "guest",
    virtualSizeBytes: 64 * 1024 ** 2,
    directBoot: true,
    kernelArguments: "",
    files: { kernel, initrd: kernel, disk: join(layout.images, "base.qcow2") },
  } as GoldenImage;
}
