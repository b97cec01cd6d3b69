import { rm } from "node:fs/promises";
import { join } from "node:path";
import { GuesthouseError, failed } from "../../../protocol/failure.ts";
import {
  convertImage,
  createOverlay,
  imageInfo,
  resizeDisk,
} from "../../qemu/block.ts";
import { guestScripts } from "./guestScripts.ts";
import type { MadeImage, Prepare, PrepareRequest } from "../golden/made.ts";
import {
  type PreparationHost,
  bootForPreparation,
} from "./preparationMachine.ts";
import { takeBootFiles } from "./prepareBoot.ts";

export interface PreparationOptions extends PreparationHost {
  /** The product's `resources/`. */
  readonly resources: string;
}

const GiB = 2 ** 30;
/** Stock images leave no room for what is installed. */
const roomBytes = 2 * GiB;
const offTimeoutMs = 120_000;

/**
 * Prepares a stock disk: boots it once, installs what is missing (guest agent, cloud-init, sshd), sets it up for NoCloud
 * and for editors, masks what only costs time, takes kernel and initrd out for a direct boot, makes it forget this boot,
 * and packs it.
 * Throws `images.invalid` when it can't be booted or set up.
 */
export function diskPreparation(options: PreparationOptions): Prepare {
  return async (request, onProgress, signal) => {
    const step = (detail: string, fraction: number): void =>
      onProgress({ stage: "prepare", detail, fraction });
    step("starting it once", 0);
    const { virtualSizeBytes } = await imageInfo(request.diskPath, signal);
    await resizeDisk(request.diskPath, virtualSizeBytes + roomBytes, signal);
    const parts = await setUp(request, options, step, signal);
    step("packing the disk", 0.9);
    const diskPath = join(request.workFolder, "prepared.qcow2");
    await convertImage(
      request.diskPath,
      diskPath,
      { format: "qcow2", sourceFormat: "qcow2", compress: true },
      signal,
    );
    await rm(request.diskPath, { force: true });
    const made = { diskPath, ...parts };
    if (made.kernelPath === undefined) return made;
    step("starting it as a clone would", 0.95);
    if (await startsDirectly(request, made, options, signal)) return made;
    return { diskPath, facts: parts.facts };
  };
}

/**
 * A clone starts the kernel without the boot loader that the image came with. Where that fails, the image keeps its boot
 * loader, which is known to work.
 */
async function startsDirectly(
  request: PrepareRequest,
  { diskPath, kernelPath, initrdPath, kernelArguments }: MadeImage,
  options: PreparationOptions,
  signal: AbortSignal,
): Promise<boolean> {
  if (kernelPath === undefined || initrdPath === undefined) return false;
  const overlay = join(request.workFolder, "trial.qcow2");
  await createOverlay({ path: overlay, backingPath: diskPath }, signal);
  try {
    const machine = await bootForPreparation(
      {
        ...{ ...request, diskPath: overlay },
        directBoot: {
          kernel: kernelPath,
          initrd: initrdPath,
          arguments: kernelArguments ?? "",
        },
      },
      options,
      () => undefined,
      signal,
    );
    await machine[Symbol.asyncDispose]();
    return true;
  } catch (error) {
    signal.throwIfAborted();
    // Through UEFI there is no way back: machines are started without it.
    if (
      !(error instanceof GuesthouseError) ||
      error.failure.code !== "images.invalid" ||
      request.firmware === "uefi"
    )
      throw error;
    options.log.warn("image keeps its own boot loader: no direct start", {
      image: request.name,
      error,
    });
    return false;
  } finally {
    await rm(overlay, { force: true });
  }
}

type Step = (detail: string, fraction: number) => void;

async function setUp(
  request: PrepareRequest,
  options: PreparationOptions,
  step: Step,
  signal: AbortSignal,
): Promise<Omit<MadeImage, "diskPath">> {
  await using machine = await bootForPreparation(
    request,
    options,
    (stage) => step(`starting it once: ${stage}`, 0.1),
    signal,
  );
  const guest = await guestScripts(machine, options.resources, signal);
  step("installing what is missing", 0.4);
  await guest.prepare(["install"], signal);
  for (const layer of request.layers ?? []) {
    step(`installing ${layer}`, 0.5);
    await guest.layer(layer, signal);
  }
  step("copying its kernel", 0.7);
  const boot = await takeBootFiles(guest, request.workFolder, options, signal);
  step("cleaning up", 0.8);
  await guest.prepare(["clean"], signal);
  const facts = await guest.facts(signal);
  await guest.prepare(["off", machine.user], signal);
  if (!(await machine.whenOff(offTimeoutMs, signal)))
    throw failed(
      "images.invalid",
      `Image ${request.name} did not switch off after its preparation.`,
      {
        remedy: "Try again; report it if it happens again.",
        actions: ["retry", "report"],
      },
    );
  return { facts, ...boot };
}
