import type { ImageFacts } from "../../../../src/helper/images/disks/facts.ts";

/** What the script prints for an image that is as it should be. */
export const goldenFacts: ImageFacts = {
  kernel: {
    version: "6.1.0-40-amd64",
    modules: [
      "virtio_pci",
      "virtio_blk",
      "virtio_net",
      "virtio_console",
      "isofs",
      "ext4",
    ],
    builtin: [],
  },
  init: "systemd",
  sshd: { present: true, allowTcpForwarding: true },
  guestAgent: true,
  handoff: 1,
  cloudInit: { present: true, datasources: ["NoCloud", "None"] },
  networkOwners: ["systemd-networkd"],
  fstab: [{ device: "/dev/vda", mount: "/", options: "rw" }],
  maskedUnits: ["apt-daily.timer"],
  hostKeysPresent: false,
  machineIdEmpty: true,
  suspiciousTokens: [],
};
