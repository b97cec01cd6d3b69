import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { withDeadline } from "../../base/deadline.ts";
import { hasErrorCode, isMissing } from "../../base/files.ts";
import type { Log } from "../../base/log.ts";
import { failed } from "../../protocol/failure.ts";
import {
  type Accelerator,
  type AcceleratorKind,
  acceleratorSchema,
} from "../../protocol/host.ts";
import type { QemuArchitecture } from "../qemu/commandLine.ts";
import { inspectQemu } from "../qemu/inspect.ts";
import {
  bootSession,
  type TrialMemory,
  trialMemory,
} from "../store/trialMemory.ts";
import { type Trial, acceleratorNames, tryAccelerator } from "./trial.ts";

export interface AcceleratorRequest {
  readonly binary: string;
  readonly arch: QemuArchitecture;
  /** `layout.accelerator` */
  readonly cachePath: string;
  readonly log: Log;
  /** Try again instead of using the remembered result. */
  readonly retry?: boolean;
}

/** Hardware answers within half a second; emulation is the last resort, so it may be slow on a busy host. */
const hardwareTimeoutMs = 5_000;
const emulationTimeoutMs = 30_000;

const memoryOf = ({
  cachePath,
  log,
}: AcceleratorRequest): TrialMemory<Accelerator> =>
  trialMemory(cachePath, acceleratorSchema, log);

/** Choices under way, so that machines started together share one trial. */
const underWay = new Map<string, Promise<Accelerator>>();

/**
 * The fastest accelerator that really runs 64-bit guest code (B7). Tried once per boot of the host, QEMU binary and
 * access to its hardware, then remembered in `cachePath`.
 * Throws `host.toolMissing` or `host.toolFailed` when QEMU itself doesn't run, `host.notSupported` when not even
 * emulation does.
 */
export async function chooseAccelerator(
  request: AcceleratorRequest,
  signal?: AbortSignal,
): Promise<Accelerator> {
  const door = await hardwareDoor(request.arch);
  const key = await cacheKey(request, door);
  if (request.retry !== true) {
    const remembered = await memoryOf(request).recall(key);
    if (remembered !== undefined) return remembered;
  }
  const choice = underWay.get(key) ?? begin(request, door, key);
  // The trial itself is bounded and shared, so one caller's abort must not end it for the others.
  return withDeadline(
    "The accelerator's trial",
    hardwareTimeoutMs + 2 * emulationTimeoutMs,
    () => choice,
    signal,
  );
}

function begin(
  request: AcceleratorRequest,
  door: Door,
  key: string,
): Promise<Accelerator> {
  const choice = tryAll(request, door)
    .then(async (accelerator) => {
      await memoryOf(request).remember(key, accelerator);
      return accelerator;
    })
    .finally(() => underWay.delete(key));
  underWay.set(key, choice);
  return choice;
}

/** What stands between us and the host's virtualization, before any trial. */
type Door =
  | { readonly kind: "open"; readonly accelerator: AcceleratorKind }
  | {
      readonly kind: "shut";
      readonly accelerator: AcceleratorKind;
      readonly reason: string;
    }
  /** Another architecture or system: there is no hardware to try. */
  | { readonly kind: "none"; readonly reason: string };

async function hardwareDoor(arch: QemuArchitecture): Promise<Door> {
  const native = process.arch === "arm64" ? "aarch64" : "x86_64";
  if (arch !== native)
    return {
      kind: "none",
      reason: `This host's processor is ${native}; ${arch} guests can only be emulated.`,
    };
  switch (process.platform) {
    case "darwin":
      return { kind: "open", accelerator: "hvf" };
    case "win32":
      return { kind: "open", accelerator: "whpx" };
    case "linux":
      return kvmDoor();
    default:
      return {
        kind: "none",
        reason: "No hardware accelerator is known for this system.",
      };
  }
}

async function kvmDoor(): Promise<Door> {
  try {
    await access("/dev/kvm", constants.R_OK | constants.W_OK);
    return { kind: "open", accelerator: "kvm" };
  } catch (error) {
    if (isMissing(error))
      return shut(
        "KVM is not there: this host has no /dev/kvm. Virtualization is off in its firmware, or it is itself a virtual machine or container without it.",
      );
    if (hasErrorCode(error, "EACCES") || hasErrorCode(error, "EPERM"))
      return shut(
        "KVM may not be used: this user has no access to /dev/kvm. Add the user to the group kvm and log in again.",
      );
    throw error;
  }
}

const shut = (reason: string): Door => ({
  kind: "shut",
  accelerator: "kvm",
  reason,
});

async function tryAll(
  request: AcceleratorRequest,
  door: Door,
): Promise<Accelerator> {
  const { binary, arch, log } = request;
  const trials: Trial[] = [];
  if (door.kind === "shut")
    trials.push({
      kind: door.accelerator,
      worked: false,
      detail: door.reason,
      tookMs: 0,
    });
  const candidates: AcceleratorKind[] =
    door.kind === "open" ? [door.accelerator, "tcg"] : ["tcg"];
  for (const kind of candidates) {
    const timeoutMs = kind === "tcg" ? emulationTimeoutMs : hardwareTimeoutMs;
    const trial = await tryAccelerator({ binary, arch, kind, timeoutMs });
    log.info("Accelerator tried", { ...trial });
    trials.push(trial);
    if (trial.worked) return { kind, reason: explain(door, trials), trials };
  }
  throw failed(
    "host.notSupported",
    `QEMU runs no guest on this host. ${trials.map(({ detail }) => detail).join(" ")}`,
    {
      remedy:
        "Install the QEMU of your distribution anew, then run the doctor.",
      actions: ["doctor", "installTools"],
    },
  );
}

/** Why it is this one: the reasons against the faster ones, if there were any. */
function explain(door: Door, trials: readonly Trial[]): string {
  const against = trials.filter(({ worked }) => !worked);
  if (against.length > 0) return against.map(({ detail }) => detail).join(" ");
  if (door.kind === "none") return door.reason;
  const chosen = trials.at(-1);
  return chosen === undefined
    ? ""
    : `${acceleratorNames[chosen.kind]} ran the trial guest in ${String(chosen.tookMs)} ms.`;
}

async function cacheKey(
  { binary, arch }: AcceleratorRequest,
  door: Door,
): Promise<string> {
  const { version } = await inspectQemu(binary);
  const { mtimeMs } = await stat(binary);
  return [
    await bootSession(),
    binary,
    Math.round(mtimeMs),
    `${String(version.major)}.${String(version.minor)}.${String(version.micro)}`,
    arch,
    door.kind,
  ].join(" ");
}
