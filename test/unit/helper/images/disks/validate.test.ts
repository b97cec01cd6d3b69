import { describe, expect, it } from "vitest";
import type { ImageFacts } from "../../../../../src/helper/images/disks/facts.ts";
import {
  formatReport,
  reasonsAgainst,
  reportOf,
  validateFacts,
} from "../../../../../src/helper/images/disks/validate.ts";
import { mountUnit } from "../../../../../src/helper/images/disks/validateMounts.ts";
import { goldenFacts } from "../goldenFacts.ts";

const outcomes = (
  facts: ImageFacts,
  kernelArguments?: string,
): Record<string, string> =>
  Object.fromEntries(
    validateFacts(
      facts,
      kernelArguments === undefined ? {} : { kernelArguments },
    ).map(({ id, outcome }) => [id, outcome]),
  );

const usable = (facts: ImageFacts): boolean =>
  reportOf(validateFacts(facts), new Date(0)).usable;

describe("validateFacts (B11, B28)", () => {
  it("finds nothing to say against a golden image", () => {
    expect(
      new Set(
        Object.values(outcomes(goldenFacts, "root=/dev/vda rw console=ttyS0")),
      ),
    ).toEqual(new Set(["ok"]));
  });

  it.each<[string, string, Partial<ImageFacts>]>([
    [
      "a root without kernel modules",
      "kernel.present",
      { kernel: { version: "", modules: [], builtin: [] } },
    ],
    [
      "a kernel whose modules are elsewhere",
      "kernel.present",
      { kernel: { version: "6.1.0", modules: [], builtin: [] } },
    ],
    [
      "a kernel without a virtio disk",
      "kernel.virtio",
      {
        kernel: {
          version: "6.1.0",
          modules: ["virtio_net", "virtio_pci", "isofs"],
          builtin: [],
        },
      },
    ],
    [
      "a kernel that can't read the seed",
      "kernel.seed",
      {
        kernel: {
          version: "6.1.0",
          modules: ["virtio_net", "virtio_pci", "virtio_blk"],
          builtin: [],
        },
      },
    ],
    ["no init", "init", { init: "" }],
    [
      "no SSH server",
      "ssh.server",
      { sshd: { present: false, allowTcpForwarding: false } },
    ],
    [
      "no cloud-init",
      "cloudInit",
      { cloudInit: { present: false, datasources: [] } },
    ],
    [
      "a cloud-init deaf to the seed",
      "cloudInit.sources",
      { cloudInit: { present: true, datasources: ["Ec2", "None"] } },
    ],
    [
      "nobody who configures the network",
      "network.owner",
      { networkOwners: [] },
    ],
    [
      "an fstab that waits for a missing disk",
      "fstab.devices",
      { fstab: [{ device: "/dev/sdb1", mount: "/data", options: "defaults" }] },
    ],
    [
      "an fstab that waits for a file server",
      "fstab.devices",
      { fstab: [{ device: "nas:/home", mount: "/home", options: "rw" }] },
    ],
    ["a masked udev", "units", { maskedUnits: ["systemd-udevd.service"] }],
    ["a masked sshd", "units", { maskedUnits: ["ssh.service"] }],
    ["a filled machine-id", "identity.machineId", { machineIdEmpty: false }],
    [
      "an unfilled template",
      "templates",
      {
        suspiciousTokens: [
          { file: "/etc/systemd/network/eth.network", token: "__VM_IP__" },
        ],
      },
    ],
  ])("refuses %s", (_what, id, change) => {
    const facts = { ...goldenFacts, ...change };
    expect(outcomes(facts)[id]).toBe("error");
    expect(usable(facts)).toBe(false);
    const checks = validateFacts(facts).filter(
      ({ outcome }) => outcome === "error",
    );
    for (const { remedy } of checks) expect(remedy).toMatch(/\.$/);
  });

  it.each<[string, string, Partial<ImageFacts>]>([
    ["no guest agent", "guestAgent", { guestAgent: false }],
    ["no handoff service", "guest.handoff", { handoff: null }],
    [
      "an sshd that forbids forwarding (B25)",
      "ssh.forwarding",
      { sshd: { present: true, allowTcpForwarding: false } },
    ],
    [
      "two owners of the network",
      "network.owner",
      { networkOwners: ["NetworkManager", "ifupdown"] },
    ],
    [
      "clouds asked before the seed",
      "cloudInit.sources",
      { cloudInit: { present: true, datasources: ["Ec2", "NoCloud"] } },
    ],
    [
      "an unrestricted cloud-init",
      "cloudInit.sources",
      { cloudInit: { present: true, datasources: [] } },
    ],
    ["left host keys", "identity.hostKeys", { hostKeysPresent: true }],
    [
      "a missing disk that may be missing",
      "fstab.devices",
      {
        fstab: [
          { device: "/dev/sdb1", mount: "/data", options: "defaults,nofail" },
        ],
      },
    ],
    [
      "a mount whose unit is masked",
      "fstab.masked",
      {
        fstab: [{ device: "tmpfs", mount: "/tmp", options: "rw" }],
        maskedUnits: ["tmp.mount"],
      },
    ],
  ])("warns of %s and lets it be used", (_what, id, change) => {
    const facts = { ...goldenFacts, ...change };
    expect(outcomes(facts)[id]).toBe("warning");
    expect(usable(facts)).toBe(true);
  });

  it("accepts drivers that are built in", () => {
    const { modules } = goldenFacts.kernel;
    expect(
      usable({
        ...goldenFacts,
        kernel: { version: "6.1.0", modules: [], builtin: modules },
      }),
    ).toBe(true);
  });

  it("takes UUID=, LABEL= and the image's own disk for present", () => {
    const fstab = [
      "UUID=1-2",
      "LABEL=UEFI",
      "PARTUUID=3",
      "/dev/vda1",
      "tmpfs",
    ].map((device) => ({ device, mount: "/x", options: "defaults" }));
    expect(outcomes({ ...goldenFacts, fstab })["fstab.devices"]).toBe("ok");
  });

  it.each([
    ["root=/dev/vda ip=__VM_IP__", "error"],
    ["root=undefined", "error"],
    ["console=ttyS0", "error"],
    ["root=UUID=1 console=ttyS0", "ok"],
  ])("judges the command line %s: %s", (line, outcome) => {
    expect(outcomes(goldenFacts, line)["kernel.arguments"]).toBe(outcome);
  });

  it("escapes mount points as systemd does", () => {
    expect(mountUnit("/")).toBe("-.mount");
    expect(mountUnit("/var/lib/docker/")).toBe("var-lib-docker.mount");
    expect(mountUnit("/mnt/my-disk")).toBe("mnt-my\\x2ddisk.mount");
  });
});

describe("reports", () => {
  it("read well, with remedies below what needs one", () => {
    const report = reportOf(
      validateFacts({ ...goldenFacts, init: "", guestAgent: false }),
      new Date("2026-01-02T03:04:05Z"),
    );
    const text = formatReport("debian-12", report);
    expect(text.split("\n")[0]).toBe(
      "debian-12 can't be used (checked 2026-01-02T03:04:05.000Z).",
    );
    expect(text).toContain("  ERROR    Init: There is no init");
    expect(text).toContain("           → Install systemd");
    expect(text).toContain("  warning  Guest agent:");
    expect(reasonsAgainst(report)).toBe(
      "There is no init: nothing would start after the kernel.",
    );
  });
});
