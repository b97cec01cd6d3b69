import { expect, test } from "vitest";
import {
  type VmSpec,
  qemuArguments,
} from "../../../../src/helper/qemu/commandLine.ts";
import { qemuSpec, userNetwork } from "../../../fakes/qemuSpec.ts";

const directBoot = {
  kernel: "/data/image/kernel",
  initrd: "/data/image/initrd",
  arguments: "root=LABEL=guesthouse-root rw console=ttyS0",
};
const user = userNetwork([
  { hostPort: 40022, guestPort: 22 },
  { hostPort: 48080, guestPort: 8080 },
]);
const passt: VmSpec["network"] = {
  backend: "passt",
  socketPath: "/run/attic.passt",
};
const seedPath = "/data/attic/seed.iso";
const firmwarePath = "/usr/share/AAVMF/AAVMF_CODE.fd";

const machines: Record<string, Partial<VmSpec>> = {
  "x86_64-kvm-direct-user": {
    accelerator: "kvm",
    seedPath,
    directBoot,
    network: user,
  },
  "x86_64-kvm-firmware-passt": {
    accelerator: "kvm",
    seedPath,
    network: passt,
  },
  "x86_64-tcg-direct-user": { seedPath, directBoot, network: user },
  "x86_64-tcg-firmware-user": { network: user, stopped: true },
  "x86_64-hvf-direct-user": {
    accelerator: "hvf",
    sandbox: false,
    seedPath,
    directBoot,
    network: user,
  },
  "x86_64-whpx-direct-user": {
    accelerator: "whpx",
    sandbox: false,
    seedPath,
    directBoot,
    network: user,
  },
  "aarch64-kvm-direct-user": {
    arch: "aarch64",
    accelerator: "kvm",
    seedPath,
    directBoot,
    network: user,
  },
  "aarch64-hvf-firmware-user": {
    arch: "aarch64",
    accelerator: "hvf",
    sandbox: false,
    seedPath,
    firmwarePath,
    network: user,
  },
  "aarch64-hvf-12-processors": {
    arch: "aarch64",
    accelerator: "hvf",
    cpus: 12,
    sandbox: false,
    seedPath,
    directBoot,
    network: user,
  },
  "x86_64-kvm-firmware-screen": {
    accelerator: "kvm",
    network: user,
    screenSocket: "/run/attic.screen",
  },
  "aarch64-kvm-direct-screen": {
    arch: "aarch64",
    accelerator: "kvm",
    seedPath,
    directBoot,
    network: user,
    screenSocket: "/run/attic.screen",
  },
  "aarch64-tcg-direct-passt": {
    arch: "aarch64",
    seedPath,
    directBoot,
    network: passt,
  },
};

test.each(Object.entries(machines))(
  "the arguments of %s are as agreed",
  async (name, changes) => {
    const spec = qemuSpec("/data/attic", changes);
    await expect(`${readable(qemuArguments(spec))}\n`).toMatchFileSnapshot(
      `commandLines/${name}.txt`,
    );
  },
);

/** One option with its value a line. */
const readable = (args: readonly string[]): string =>
  args.reduce(
    (text, arg) =>
      arg.startsWith("-") ? `${text}${text && "\n"}${arg}` : `${text} ${arg}`,
    "",
  );

test("commas in paths and names are doubled, in kernel arguments they are not", () => {
  const args = qemuArguments(
    qemuSpec("/data/a,b", {
      name: "a,b",
      directBoot: { ...directBoot, arguments: "console=ttyS0,115200" },
    }),
  );
  expect(valueOf(args, "-name")).toBe("guest=a,,b,debug-threads=on");
  expect(valueOf(args, "-blockdev")).toContain("/data/a,,b/disk.qcow2");
  expect(valueOf(args, "-chardev")).toContain("path=/data/a,,b/qmp,");
  expect(valueOf(args, "-append")).toBe("console=ttyS0,115200");
});

test("a forwarded port listens on loopback only", () => {
  const args = qemuArguments(qemuSpec("/data/attic", { network: user }));
  expect(valueOf(args, "-netdev").match(/hostfwd=[^,]*/g)).toEqual([
    "hostfwd=tcp:127.0.0.1:40022-10.0.2.32:22",
    "hostfwd=tcp:127.0.0.1:48080-10.0.2.32:8080",
  ]);
});

const valueOf = (args: readonly string[], option: string): string =>
  args[args.indexOf(option) + 1] ?? "";
