import { createWriteStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { GuesthouseError, failed } from "../../protocol/failure.ts";
import {
  convertImage,
  createOverlay,
  imageInfo,
  resizeDisk,
} from "../qemu/block.ts";
import { shellCommand } from "../ssh/quote.ts";
import type { SshSession } from "../ssh/session.ts";
import { type ImageFacts, imageFactsSchema } from "./facts.ts";
import type { MadeImage, Prepare, PrepareRequest } from "./made.ts";
import {
  type PreparationHost,
  type PreparationMachine,
  bootForPreparation,
} from "./preparationMachine.ts";
import { type GuestKernel, parseGuestKernel } from "./prepareKernel.ts";

export interface PreparationOptions extends PreparationHost {
  /** The product's `resources/`. */
  readonly resources: string;
}

const GiB = 2 ** 30;
/** Stock images leave no room for what is installed. */
const roomBytes = 2 * GiB;
/** For what a slow, emulated guest needs for packages. */
const stepTimeoutMs = 45 * 60_000;
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
      { ...request, diskPath: overlay },
      options,
      {
        kernel: kernelPath,
        initrd: initrdPath,
        arguments: kernelArguments ?? "",
      },
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
    undefined,
    (stage) => step(`starting it once: ${stage}`, 0.1),
    signal,
  );
  const guest = await guestScripts(machine, options.resources, signal);
  step("installing what is missing", 0.4);
  await guest.prepare(["install"], signal);
  const boot = parseGuestKernel(await guest.prepare(["kernel"], signal));
  if (boot !== undefined) {
    step("copying its kernel", 0.7);
    await guest.fetch(boot.kernel, join(request.workFolder, "kernel"), signal);
    await guest.fetch(boot.initrd, join(request.workFolder, "initrd"), signal);
  } else
    options.log.warn("image keeps its own boot loader: no kernel to be found", {
      image: request.name,
    });
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
  return { facts, ...bootFiles(request.workFolder, boot) };
}

const bootFiles = (
  folder: string,
  boot: GuestKernel | undefined,
): Pick<MadeImage, "kernelPath" | "initrdPath" | "kernelArguments"> =>
  boot === undefined
    ? {}
    : {
        kernelPath: join(folder, "kernel"),
        initrdPath: join(folder, "initrd"),
        kernelArguments: boot.arguments,
      };

/** Our scripts in the guest, run as root. */
interface GuestScripts {
  /** Answers with standard output. */
  readonly prepare: (
    args: readonly string[],
    signal: AbortSignal,
  ) => Promise<string>;
  readonly facts: (signal: AbortSignal) => Promise<ImageFacts>;
  /** Copies a file that only root may read. */
  readonly fetch: (
    remote: string,
    local: string,
    signal: AbortSignal,
  ) => Promise<void>;
}

async function guestScripts(
  { session, user }: PreparationMachine,
  resources: string,
  signal: AbortSignal,
): Promise<GuestScripts> {
  const paths = {
    prepare: "/tmp/guesthouse-prepare.sh",
    facts: "/tmp/guesthouse-facts.sh",
  };
  for (const [path, name] of [
    [paths.prepare, "prepare.sh"],
    [paths.facts, "image-facts.sh"],
  ] as const)
    await run(
      session,
      `cat >${path}`,
      signal,
      await readFile(join(resources, "guest", name)),
    );
  const asRoot = user === "root" ? [] : await rootPrefix(session, signal);
  const root = (argv: readonly string[]): string =>
    shellCommand([...asRoot, ...argv]);
  return {
    prepare: (args, within) =>
      run(session, root(["sh", paths.prepare, ...args]), within),
    facts: async (within) =>
      imageFactsSchema.parse(
        JSON.parse(await run(session, root(["sh", paths.facts, "/"]), within)),
      ),
    fetch: async (remote, local, within) => {
      const command = await session.start(root(["cat", remote]), within);
      command.stdin.end();
      const [{ code, stderr }] = await Promise.all([
        command.ended,
        pipeline(command.stdout, createWriteStream(local, { mode: 0o600 })),
      ]);
      if (code !== 0) throw stepFailed(`cat ${remote}`, code, stderr);
    },
  };
}

async function rootPrefix(
  session: SshSession,
  signal: AbortSignal,
): Promise<string[]> {
  for (const program of ["sudo", "doas"]) {
    const { code } = await session.exec(`${program} -n true`, {}, signal);
    if (code === 0) return [program, "-n"];
  }
  throw failed(
    "images.invalid",
    "The image's user can't become root: it has neither sudo nor doas.",
    { remedy: "Install sudo in the image and import it again." },
  );
}

async function run(
  session: SshSession,
  command: string,
  signal: AbortSignal,
  stdin?: Uint8Array,
): Promise<string> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(stepTimeoutMs)]);
  const { code, stdout, stderr } = await session.exec(
    command,
    stdin === undefined ? {} : { stdin },
    within,
  );
  if (code === 0) return stdout;
  throw stepFailed(command, code, stderr);
}

const stepFailed = (command: string, code: number, stderr: string): unknown =>
  failed(
    "images.invalid",
    `Setting up the image failed (${command}, code ${String(code)}): ${lastLines(stderr)}`,
    {
      remedy:
        "Check that the guest can reach its package mirror, or install qemu-guest-agent, cloud-init and openssh-server in the image yourself.",
      actions: ["showLog", "retry"],
    },
  );

const lastLines = (text: string): string =>
  text.trim().split("\n").slice(-3).join(" · ");
