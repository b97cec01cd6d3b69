import type { BootStage } from "../../../protocol/machines.ts";
import type { CloudInitReport } from "./cloudInit.ts";

/** Everything that was found out about one guest. */
export interface Facts {
  readonly stage: BootStage;
  readonly waitedMs: number;
  /** QEMU's own word: `running`, `paused`, `internal-error`, `not answering`, … */
  readonly runState: string;
  /** The process that connects the machine to the network has ended. */
  readonly networkGone?: boolean | undefined;
  readonly consoleLines: readonly string[];
  readonly consoleQuietMs?: number | undefined;
  /** Frames across the network card, as QEMU counts them. */
  readonly frames?:
    | {
        readonly driver: boolean;
        readonly sent: number;
        readonly received: number;
      }
    | undefined;
  readonly agentAnswers: boolean;
  /** With prefix length; loopback and link-local ones left out. Undefined when nobody could say. */
  readonly addresses?: readonly string[] | undefined;
  readonly login:
    "ok" | "noBanner" | "broken" | "loginRefused" | "hostKeyMismatch";
  readonly cloudInit?: CloudInitReport | undefined;
  /** Of Windows: its preparation left the marker that it writes last. Undefined when nobody could say. */
  readonly prepared?: boolean | undefined;
}

export interface Explanation {
  /** Stable id. */
  readonly cause: string;
  /** One plain sentence, or two. */
  readonly hint: string;
}

export type Rule = (facts: Facts) => Explanation | undefined;

/** The likely cause, most certain evidence first (B8). Pure. */
export const explain = (facts: Facts): Explanation => explainBy(rules, facts);

/** What the first rule says that knows; else that it is slow. */
export function explainBy(rules: readonly Rule[], facts: Facts): Explanation {
  for (const rule of rules) {
    const found = rule(facts);
    if (found !== undefined) return found;
  }
  return {
    cause: "slow",
    hint: `The guest is still booting (stage ${facts.stage}) after ${seconds(facts.waitedMs)}; it may only need more time.`,
  };
}

export const qemuState: Rule = ({ runState }) => {
  if (runState === "paused" || runState === "suspended")
    return { cause: "paused", hint: "The machine is paused; resume it." };
  if (["running", "inmigrate", "prelaunch"].includes(runState))
    return undefined;
  return {
    cause: "exited",
    hint: `QEMU does not run the guest any more (${runState}). The last console lines and QEMU's log say more.`,
  };
};

export const networkGoneFinding: Explanation = {
  cause: "networkGone",
  hint: "passt, which connects this machine to the network, has ended, so nothing reaches it any more; the guest itself still runs. Restart the machine.",
};

export const lostNetwork: Rule = ({ networkGone }) =>
  networkGone === true ? networkGoneFinding : undefined;

export const reached: Rule = ({ login, cloudInit }) => {
  if (login !== "ok") return undefined;
  if (cloudInit?.status === "error")
    return {
      cause: "cloudInitFailed",
      hint: `The guest can be used, but cloud-init failed in it: ${cloudInit.errors[0] ?? "see its log"}.`,
    };
  return {
    cause: "healthy",
    hint: "The guest answers over SSH; nothing is wrong.",
  };
};

const login: Rule = (facts) => {
  if (facts.login === "hostKeyMismatch")
    return {
      cause: "hostKeyMismatch",
      hint: "An SSH server answers with another host key than this guest's own. cloud-init did not write the key, or somebody is in the middle.",
    };
  if (facts.login !== "loginRefused") return undefined;
  const failure = cloudInitFailure(facts);
  return (
    failure ?? {
      cause: "loginRefused",
      hint: "The SSH server runs, but refuses our key: the user or its authorized_keys is missing. cloud-init may have skipped its run.",
    }
  );
};

/** What a console says when nothing will ever come after it. */
const deadEnds: readonly (readonly [RegExp, string, string])[] = [
  [
    /VFS: Unable to mount root|ALERT! .* does not exist|Cannot open root device|Gave up waiting for (root|suspend\/resume) (file system )?device/,
    "noRoot",
    "The kernel found no root file system: it has no driver for the disk, or the disk is named otherwise on the kernel's command line.",
  ],
  [
    /Kernel panic - not syncing/,
    "panic",
    "The guest's kernel panicked; the last console lines show where.",
  ],
  [
    /You are in emergency mode|Cannot open access to console|Entering emergency mode/,
    "emergency",
    "The guest stopped in emergency mode, usually because of a file system in fstab that is not there.",
  ],
  [
    /No bootable (?:option or )?device|Boot failed: not a bootable disk|Could not read the boot disk|Shell>/,
    "noKernel",
    "The firmware found nothing to boot on the disk: the image has no boot loader, or is not a disk image at all.",
  ],
];

export const deadEnd: Rule = ({ consoleLines }) => {
  for (const [sign, cause, hint] of deadEnds)
    if (consoleLines.some((line) => sign.test(line))) return { cause, hint };
  return undefined;
};

const noKernel: Rule = ({ stage, consoleLines, agentAnswers, frames }) =>
  stage === "firmware" &&
  consoleLines.filter(fromGuest).length === 0 &&
  !agentAnswers &&
  (frames?.sent ?? 0) === 0
    ? {
        cause: "noKernel",
        hint: "The guest never wrote to its console: no kernel was started, or it writes to another console (console=ttyS0 is missing).",
      }
    : undefined;

/** Our own marks stand in the same log. */
const fromGuest = (line: string): boolean => !line.startsWith("──");

const waitingUnit: Rule = ({ consoleLines }) => {
  const job = consoleLines.findLast((line) =>
    /A start job is running for /.test(line),
  );
  if (job === undefined || consoleLines.at(-1) !== job) return undefined;
  const unit =
    /A start job is running for (.+?)( \(|$)/.exec(job)?.[1] ?? "a unit";
  return {
    cause: "waitingUnit",
    hint: `The guest's boot waits for ${unit}, which this machine may not have.`,
  };
};

export const network: Rule = (facts) => {
  const { frames, addresses } = facts;
  if (frames?.driver === false && userlandUp(facts))
    return {
      cause: "noTraffic",
      hint: "No driver in the guest has taken the network card: its kernel has no virtio_net, or the module is missing.",
    };
  const silent = frames?.sent === 0;
  if (!silent && addresses?.length !== 0) {
    if (frames !== undefined && frames.received === 0)
      return {
        cause: "noLease",
        hint: "The guest sent frames, but received none: its DHCP requests get no answer.",
      };
    return undefined;
  }
  if (!userlandUp(facts)) return undefined;
  if (silent || frames === undefined)
    return {
      cause: "noTraffic",
      hint: "The guest has booted, but sent nothing to the network: nothing in it configures the network card (no networkd or netplan settings, or their service is missing).",
    };
  return {
    cause: "noLease",
    hint: "The guest uses its network card, but has no address: its DHCP requests get no answer, or nothing asks for one.",
  };
};

const noSshd: Rule = (facts) => {
  const hasNetwork =
    (facts.addresses?.length ?? 0) > 0 || (facts.frames?.received ?? 0) > 0;
  if (!userlandUp(facts) || !hasNetwork) return undefined;
  return (
    cloudInitFailure(facts) ?? {
      cause: "noSshd",
      hint: `The guest has a network${address(facts)}, but no SSH server answers: sshd is not installed, not enabled, or failed to start.`,
    }
  );
};

/** Order matters: what ends a boot for certain comes before what only looks suspicious. */
const rules: readonly Rule[] = [
  qemuState,
  lostNetwork,
  reached,
  login,
  deadEnd,
  noKernel,
  waitingUnit,
  network,
  noSshd,
];

function cloudInitFailure({ cloudInit }: Facts): Explanation | undefined {
  if (cloudInit?.status !== "error") return undefined;
  return {
    cause: "cloudInitFailed",
    hint: `cloud-init failed in the guest: ${cloudInit.errors[0] ?? "see its log"}.`,
  };
}

/** The boot has come as far as it will without the network. */
const userlandUp = ({
  agentAnswers,
  consoleLines,
  stage,
  consoleQuietMs,
}: Facts): boolean =>
  agentAnswers ||
  stage === "sshd" ||
  consoleLines.some((line) =>
    /\blogin: *$|Reached target .*([Mm]ulti-[Uu]ser|Cloud-init target)|Cloud-init v\. .* finished/.test(
      line,
    ),
  ) ||
  ((stage === "init" || stage === "cloud-init") &&
    (consoleQuietMs ?? 0) > 60_000);

const address = ({ addresses }: Facts): string =>
  addresses?.[0] === undefined ? "" : ` (${addresses.join(", ")})`;

const seconds = (ms: number): string => `${String(Math.round(ms / 1000))} s`;
