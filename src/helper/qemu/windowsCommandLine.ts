import {
  acceleratorOptions,
  blockdev,
  channels,
  cpuModel,
  escaped,
  identity,
  memoryBackend,
  netdevOptions,
  process,
  qemuIds,
  screen,
  type VmSpec,
} from "./commandLine.ts";

/** What a machine with Windows is told beside what every machine is. All paths are absolute. */
export interface WindowsVmSpec extends Omit<
  VmSpec,
  "arch" | "directBoot" | "firmwarePath" | "handoffPath" | "seedPath"
> {
  readonly firmware: {
    /** UEFI code built for Secure Boot, shared by all machines: `OVMF_CODE_4M.ms.fd`. */
    readonly codePath: string;
    /** This machine's own copy of the variables with Microsoft's keys enrolled, raw: `OVMF_VARS_4M.ms.fd`. */
    readonly variablesPath: string;
  };
  /** Control socket of swtpm; absent where the host has none. */
  readonly tpmSocket?: string;
  /** CDs, by what they are for. */
  readonly cds: {
    readonly installer?: {
      readonly path: string;
      readonly format: "raw" | "qcow2";
    };
    readonly answers?: string;
    readonly drivers?: string;
  };
  /** `e1000e` while Windows is installed: it has a driver for that one. */
  readonly networkCard: "e1000e" | "virtio-net-pci";
  readonly screenSocket: string;
}

/** Ports of q35's AHCI controller. Explicit, so that Windows sees each drive where it was before. */
const ahciPort = { disk: 0, installer: 1, answers: 2, drivers: 3 } as const;

/**
 * The arguments of QEMU 7.2 or newer for a machine that runs Windows. Pure. Every device can be migrated (QEMU's NVMe
 * can't), so that such a machine can be suspended and resumed.
 * Sources: QEMU's docs/system/i386/hyperv.rst and docs/specs/tpm.rst; OVMF's README on SMM and Secure Boot.
 */
export function windowsQemuArguments(spec: WindowsVmSpec): string[] {
  return [
    ...identity(spec),
    ...machine(spec),
    ...firmware(spec),
    ...tpm(spec),
    ...drives(spec),
    ...["-netdev", netdevOptions(spec.network)],
    ...[
      "-device",
      `${spec.networkCard},id=${qemuIds.nic},netdev=${qemuIds.netdev},mac=${spec.macAddress},romfile=`,
    ],
    ...channels(spec),
    ...screen({ arch: "x86_64", screenSocket: spec.screenSocket }),
    ...["-object", "rng-builtin,id=random"],
    ...["-device", "virtio-rng-pci,rng=random"],
    ...["-device", `vmgenid,guid=${spec.vmGenerationId}`],
    ...process(spec),
  ];
}

function machine(spec: WindowsVmSpec): string[] {
  const cpus = String(spec.cpus);
  const type = spec.machineType ?? "q35";
  return [
    ...["-machine", `${type},smm=on,hpet=off,vmport=off,usb=off`],
    ...["-accel", acceleratorOptions(spec.accelerator)],
    ...["-cpu", windowsCpu(spec)],
    ...["-smp", `cpus=${cpus},sockets=1,cores=${cpus},threads=1`],
    ...["-m", `size=${String(spec.memoryMiB)}M`],
    ...["-object", memoryBackend(spec)],
    ...["-machine", "memory-backend=memory"],
    // Windows keeps local time in the clock, and catches up with ticks that it missed.
    ...["-rtc", "base=localtime,driftfix=slew"],
    // Suspension to memory is ours to do.
    ...["-global", "ICH9-LPC.disable_s3=1"],
  ];
}

/**
 * What Windows knows of its hypervisor; only KVM plays Hyper-V. Never `hv-passthrough`: a machine with it can't be
 * migrated, and so neither suspended nor cloned warm.
 */
function windowsCpu({ accelerator }: WindowsVmSpec): string {
  const model = cpuModel({ arch: "x86_64", accelerator });
  return accelerator === "kvm"
    ? `${model},hv_relaxed,hv_vapic,hv_spinlocks=0x1fff,hv_time,hv_vpindex,hv_synic,hv_stimer`
    : model;
}

function firmware({ firmware: { codePath, variablesPath } }: WindowsVmSpec) {
  return [
    // Only code in system management mode may write the variables, or Secure Boot would be worth nothing.
    ...["-global", "driver=cfi.pflash01,property=secure,value=on"],
    ...blockdev("firmware", "raw", codePath, ["read-only=on"]),
    ...blockdev("variables", "raw", variablesPath, []),
    ...["-machine", "pflash0=firmware,pflash1=variables"],
  ];
}

const tpm = ({ tpmSocket }: WindowsVmSpec): string[] =>
  tpmSocket === undefined
    ? []
    : [
        ...["-chardev", `socket,id=tpm,path=${escaped(tpmSocket)}`],
        ...["-tpmdev", "emulator,id=tpm0,chardev=tpm"],
        ...["-device", "tpm-tis,tpmdev=tpm0"],
      ];

function drives({ diskPath, cds }: WindowsVmSpec): string[] {
  const { disk } = qemuIds;
  const cd = (
    name: Exclude<keyof typeof ahciPort, "disk">,
    path: string | undefined,
    format: "raw" | "qcow2" = "raw",
    bootIndex?: number,
  ): string[] =>
    path === undefined
      ? []
      : [
          ...blockdev(name, format, path, ["read-only=on"]),
          ...[
            "-device",
            `ide-cd,id=${name}0,drive=${name},bus=ide.${String(ahciPort[name])}${bootIndex === undefined ? "" : `,bootindex=${String(bootIndex)}`}`,
          ],
        ];
  return [
    ...blockdev(disk, "qcow2", diskPath, [
      "discard=unmap",
      "detect-zeroes=unmap",
      "file.discard=unmap",
    ]),
    ...[
      "-device",
      `ide-hd,id=${disk}0,drive=${disk},bus=ide.${String(ahciPort.disk)},serial=guesthouse-disk,bootindex=1`,
    ],
    // After the disk: as long as that one is empty firmware comes here, and never again afterwards.
    ...cd("installer", cds.installer?.path, cds.installer?.format, 2),
    ...cd("answers", cds.answers),
    ...cd("drivers", cds.drivers),
  ];
}
