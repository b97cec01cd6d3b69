import { expect, test } from "vitest";
import {
  type WindowsVmSpec,
  windowsQemuArguments,
} from "../../../../src/helper/qemu/windowsCommandLine.ts";
import { windowsSpec } from "../../../fakes/windowsSpec.ts";

const machines: Record<string, Partial<WindowsVmSpec>> = {
  "windows-kvm-install": { accelerator: "kvm", tpmSocket: "/run/attic.tpm" },
  "windows-kvm-installed": {
    accelerator: "kvm",
    tpmSocket: "/run/attic.tpm",
    cds: {},
    networkCard: "virtio-net-pci",
  },
  "windows-tcg-install-without-tpm": {},
};

test.each(Object.entries(machines))(
  "the arguments of %s are as agreed",
  async (name, changes) => {
    const args = windowsQemuArguments(windowsSpec("/data/attic", changes));
    const lines = args.join("\n").replaceAll(/\n(?!-)/g, " ");
    await expect(`${lines}\n`).toMatchFileSnapshot(`commandLines/${name}.txt`);
  },
);

test.each(Object.entries(machines))(
  "%s can be migrated, and its installer never comes before its disk",
  (_, changes) => {
    const all = windowsQemuArguments(windowsSpec("/data/attic", changes)).join(
      " ",
    );
    expect(all).not.toMatch(/hv[-_]passthrough|nvme/);
    expect(all).not.toContain("bootindex=0");
    expect(all).toMatch(/ide-hd,[^ ]*bus=ide\.0,[^ ]*bootindex=1/);
  },
);

test("Hyper-V is played by KVM only", () => {
  const cpu = (accelerator: WindowsVmSpec["accelerator"]): string => {
    const args = windowsQemuArguments(
      windowsSpec("/data/attic", { accelerator }),
    );
    return args[args.indexOf("-cpu") + 1] ?? "";
  };
  expect(cpu("kvm")).toMatch(/^host,hv_relaxed,/);
  for (const other of ["tcg", "hvf", "whpx"] as const)
    expect(cpu(other)).not.toContain("hv_");
});
