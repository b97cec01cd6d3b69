import type { ImageCheck, ImageReport } from "../../../protocol/images.ts";
import type { ImageFacts } from "./facts.ts";
import { fstabChecks } from "./validateMounts.ts";
import { type Verdict, check, error, ok, warning } from "./verdict.ts";

export interface Judgement {
  /** The kernel command line of a direct boot. */
  readonly kernelArguments?: string;
}

/**
 * Judges what an image holds (B11, B28). Pure: the same facts give the same checks, in the same order.
 * An `error` keeps the image from being used, a `warning` says what will be missing.
 */
export function validateFacts(
  facts: ImageFacts,
  judgement: Judgement = {},
): ImageCheck[] {
  return [
    kernelPresent(facts),
    kernelDrivers(facts),
    ...(facts.kernel.version === "" ? [] : [kernelSeed(facts)]),
    init(facts),
    sshd(facts),
    forwarding(facts),
    cloudInit(facts),
    dataSources(facts),
    guestAgent(facts),
    handoff(facts),
    networkOwner(facts),
    ...fstabChecks(facts),
    maskedUnits(facts),
    machineId(facts),
    hostKeys(facts),
    tokens(facts),
    ...(judgement.kernelArguments === undefined
      ? []
      : [commandLine(judgement.kernelArguments)]),
  ];
}

export function reportOf(
  checks: readonly ImageCheck[],
  checkedAt: Date,
): ImageReport {
  return {
    checkedAt: checkedAt.toISOString(),
    usable: !checks.some(({ outcome }) => outcome === "error"),
    checks: [...checks],
  };
}

const words = {
  ok: "ok",
  warning: "warning",
  error: "ERROR",
  notApplicable: "–",
} as const;

/** A report for people: one line a check, remedies below what needs one. */
export function formatReport(name: string, report: ImageReport): string {
  const lines = report.checks.flatMap(({ outcome, title, detail, remedy }) => [
    `  ${words[outcome].padEnd(8)} ${title}: ${detail}`,
    ...(remedy === undefined || outcome === "ok"
      ? []
      : [`           → ${remedy}`]),
  ]);
  const verdict = report.usable ? "can be used" : "can't be used";
  return [`${name} ${verdict} (checked ${report.checkedAt}).`, ...lines].join(
    "\n",
  );
}

/** The reasons against an image in one sentence; empty for a usable one. */
export function reasonsAgainst(report: ImageReport): string {
  return report.checks
    .filter(({ outcome }) => outcome === "error")
    .map(({ detail }) => detail)
    .join(" ");
}

function kernelPresent({ kernel }: ImageFacts): ImageCheck {
  const found = kernel.modules.length + kernel.builtin.length;
  return check(
    "kernel.present",
    "Kernel",
    kernel.version === "" || found === 0
      ? error(
          kernel.version === ""
            ? "There is no kernel: /lib/modules is empty or missing, as in a container's file system."
            : `The modules of kernel ${kernel.version} are missing.`,
          "Install a kernel package (for example linux-image-amd64) in the image and import it again.",
        )
      : ok(`${kernel.version}, ${String(found)} drivers of interest.`),
  );
}

const has = ({ kernel }: ImageFacts, name: string): boolean =>
  kernel.modules.includes(name) || kernel.builtin.includes(name);

const neededDrivers = ["virtio_pci", "virtio_blk", "virtio_net"];

function kernelDrivers(facts: ImageFacts): ImageCheck {
  const missing = neededDrivers.filter((name) => !has(facts, name));
  const verdict = (): Verdict => {
    if (facts.kernel.version === "")
      return {
        outcome: "notApplicable",
        detail: "Without a kernel there are no drivers.",
      };
    if (missing.length > 0)
      return error(
        `The kernel has no ${missing.join(", ")}, neither as a module nor built in, so it would find no disk or no network.`,
        "Install a kernel for virtual machines, or the package with the remaining modules, and import the image again.",
      );
    if (!has(facts, "virtio_console"))
      return warning(
        "The kernel has no virtio_console; the guest agent can't be reached.",
        "Install the package with the remaining modules.",
      );
    return ok("virtio drivers for disk, network and console are there.");
  };
  return check("kernel.virtio", "Drivers", verdict());
}

function kernelSeed(facts: ImageFacts): ImageCheck {
  return check(
    "kernel.seed",
    "Seed disk",
    has(facts, "isofs")
      ? ok("The kernel reads ISO 9660, in which the seed is written.")
      : error(
          "The kernel has no isofs, so cloud-init can't read the seed and nobody can log in.",
          "Install a kernel with ISO 9660 support and import the image again.",
        ),
  );
}

function init({ init: found }: ImageFacts): ImageCheck {
  return check(
    "init",
    "Init",
    found === ""
      ? error(
          "There is no init: nothing would start after the kernel.",
          "Install systemd (systemd-sysv) or OpenRC in the image and import it again.",
        )
      : ok(`${found}.`),
  );
}

function sshd(facts: ImageFacts): ImageCheck {
  return check(
    "ssh.server",
    "SSH server",
    facts.sshd.present
      ? ok("sshd is installed.")
      : error(
          "sshd is not installed; no terminal and no editor could get in.",
          "Install openssh-server in the image and import it again.",
        ),
  );
}

function forwarding(facts: ImageFacts): ImageCheck {
  const verdict = (): Verdict => {
    if (!facts.sshd.present)
      return { outcome: "notApplicable", detail: "There is no SSH server." };
    return facts.sshd.allowTcpForwarding
      ? ok("allowed, as remote editors need it.")
      : warning(
          "sshd forbids TCP forwarding, without which remote editors can't connect.",
          "Set “AllowTcpForwarding yes” in the image's sshd_config.",
        );
  };
  return check("ssh.forwarding", "SSH forwarding", verdict());
}

function cloudInit(facts: ImageFacts): ImageCheck {
  return check(
    "cloudInit",
    "cloud-init",
    facts.cloudInit.present
      ? ok("is installed.")
      : error(
          "cloud-init is not installed; a clone would get no user, no key and no name of its own.",
          "Install cloud-init in the image and import it again.",
        ),
  );
}

function dataSources({ cloudInit: facts }: ImageFacts): ImageCheck {
  const [first] = facts.datasources;
  const verdict = (): Verdict => {
    if (!facts.present)
      return { outcome: "notApplicable", detail: "There is no cloud-init." };
    if (first === undefined)
      return warning(
        "cloud-init looks for every cloud it knows before it starts.",
        "Set “datasource_list: [NoCloud, None]” in /etc/cloud/cloud.cfg.d.",
      );
    if (!facts.datasources.includes("NoCloud"))
      return error(
        `cloud-init only listens to ${facts.datasources.join(", ")} and would ignore the seed.`,
        "Add NoCloud to datasource_list in /etc/cloud/cloud.cfg.d.",
      );
    return first === "NoCloud"
      ? ok(`${facts.datasources.join(", ")}.`)
      : warning(
          `cloud-init asks ${first} before it reads the seed.`,
          "Put NoCloud first in datasource_list.",
        );
  };
  return check("cloudInit.sources", "Data sources", verdict());
}

function guestAgent(facts: ImageFacts): ImageCheck {
  return check(
    "guestAgent",
    "Guest agent",
    facts.guestAgent
      ? ok("qemu-guest-agent is installed.")
      : warning(
          "qemu-guest-agent is not installed; stopping falls back to the power button, and a diagnosis knows less.",
          "Install qemu-guest-agent in the image.",
        ),
  );
}

function handoff({ handoff: version }: ImageFacts): ImageCheck {
  return check(
    "guest.handoff",
    "Warm clones",
    version === null
      ? warning(
          "The service that gives a resumed machine its identity is not installed, so clones of this image always boot and can't be resumed warm.",
          "Make the image anew (pull it again with force); an image without Python stays so.",
        )
      : ok(`a resumed clone gets its identity (version ${String(version)}).`),
  );
}

function networkOwner({ networkOwners }: ImageFacts): ImageCheck {
  const verdict = (): Verdict => {
    if (networkOwners.length === 0)
      return error(
        "No service configures the network; the guest would stay unreachable.",
        "Enable one of systemd-networkd, NetworkManager, ifupdown or dhcpcd and import the image again.",
      );
    return networkOwners.length === 1
      ? ok(`${networkOwners.join()} alone.`)
      : warning(
          `${networkOwners.join(" and ")} both configure the network and may take the address from each other.`,
          "Disable all but one.",
        );
  };
  return check("network.owner", "Network", verdict());
}

/** Masked, these keep a guest from booting or from being reached. */
const vitalUnits =
  /^(systemd-udevd|systemd-udev-trigger|dbus|ssh|sshd|cloud-init(-local|-main|-network)?|cloud-config|cloud-final|systemd-journald)\.service$|^(sysinit|basic|multi-user|network-online|local-fs|cloud-config|cloud-init)\.target$/;

function maskedUnits({ maskedUnits: masked }: ImageFacts): ImageCheck {
  const vital = masked.filter((unit) => vitalUnits.test(unit));
  return check(
    "units",
    "Services",
    vital.length > 0
      ? error(
          `${vital.join(", ")} ${vital.length === 1 ? "is" : "are"} masked, without which the guest can't be reached.`,
          `Run “systemctl unmask ${vital.join(" ")}” in the image and import it again.`,
        )
      : ok(
          masked.length === 0
            ? "none is masked."
            : `${String(masked.length)} masked, none of them needed.`,
        ),
  );
}

function machineId({ machineIdEmpty }: ImageFacts): ImageCheck {
  return check(
    "identity.machineId",
    "Machine id",
    machineIdEmpty
      ? ok("is made by each clone.")
      : error(
          "/etc/machine-id is filled, so all clones would be one and the same to DHCP servers and logs.",
          "Empty /etc/machine-id in the image (truncate -s 0) and import it again.",
        ),
  );
}

function hostKeys({ hostKeysPresent }: ImageFacts): ImageCheck {
  return check(
    "identity.hostKeys",
    "Host keys",
    hostKeysPresent
      ? warning(
          "SSH host keys are left in the image; a clone that cloud-init doesn't reach would share them.",
          "Remove /etc/ssh/ssh_host_* from the image.",
        )
      : ok("are made for each clone."),
  );
}

function tokens({ suspiciousTokens }: ImageFacts): ImageCheck {
  return check(
    "templates",
    "Templates",
    suspiciousTokens.length === 0
      ? ok("no placeholder was left unfilled.")
      : error(
          `Placeholders were left unfilled: ${suspiciousTokens.map(({ file, token }) => `${token} in ${file}`).join(", ")}.`,
          "Fill them in and import the image again.",
        ),
  );
}

function commandLine(kernelArguments: string): ImageCheck {
  const token =
    /__[A-Z][A-Z0-9_]*__|\{\{.*?\}\}|\bundefined\b|\bNaN\b|\[object/.exec(
      kernelArguments,
    )?.[0];
  const verdict = (): Verdict => {
    if (token !== undefined)
      return error(
        `The kernel command line has an unfilled placeholder: ${token}.`,
        "Make the image anew.",
      );
    return /(^|\s)root=\S+/.test(kernelArguments)
      ? ok(kernelArguments)
      : error(
          "The kernel command line names no root file system.",
          "Make the image anew.",
        );
  };
  return check("kernel.arguments", "Command line", verdict());
}
