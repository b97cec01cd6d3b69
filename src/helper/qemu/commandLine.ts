import type { AcceleratorKind } from "../../protocol/host.ts";

/** Architectures as QEMU names them in its binaries. */
export type QemuArchitecture = "x86_64" | "aarch64";

export interface QemuVersion {
  readonly major: number;
  readonly minor: number;
}

export interface PortForward {
  /** Loopback port of the host. */
  readonly hostPort: number;
  readonly guestPort: number;
}

export type VmNetwork =
  | {
      readonly backend: "user";
      /** The guest's address in the network of its own that QEMU plays for it: `10.0.2.15`. */
      readonly guestAddress: string;
      /** What the network's DHCP server hands out first. */
      readonly firstLease: string;
      readonly forwards: readonly PortForward[];
    }
  /** passt does the forwarding itself and waits on this unix socket. */
  | { readonly backend: "passt"; readonly socketPath: string };

export interface DirectBoot {
  readonly kernel: string;
  readonly initrd?: string;
  /** The kernel's command line. */
  readonly arguments: string;
}

/** Everything that one QEMU process is told. All paths are absolute. */
export interface VmSpec {
  readonly arch: QemuArchitecture;
  readonly qemuVersion: QemuVersion;
  /** Shown by `ps` and by QEMU itself. */
  readonly name: string;
  readonly uuid: string;
  readonly accelerator: AcceleratorKind;
  /** The very machine type that a saved state asks for; absent: this QEMU's newest. */
  readonly machineType?: string | undefined;
  readonly cpus: number;
  readonly memoryMiB: number;
  /**
   * File that holds the guest's memory, as large as it: `shared` writes to it (a template in the making), else changes
   * stay private to the process. QEMU 7.2 opens it for writing either way. Absent: anonymous memory.
   */
  readonly memoryFile?: { readonly path: string; readonly shared: boolean };
  /** qcow2, written to. */
  readonly diskPath: string;
  /** Raw NoCloud volume, read only. */
  readonly seedPath?: string;
  /** Start this kernel instead of going through firmware and boot loader. */
  readonly directBoot?: DirectBoot;
  /** UEFI code; `aarch64` without direct boot needs it, `x86_64` has SeaBIOS built in. */
  readonly firmwarePath?: string;
  readonly macAddress: string;
  readonly network: VmNetwork;
  readonly qmpSocket: string;
  readonly agentSocket: string;
  /** `<path>.in` and `<path>.out` are FIFOs: the far end of the handoff port, held open by QEMU itself. */
  readonly handoffPath: string;
  readonly consoleSocket: string;
  /** The machine has a display, a keyboard and a pointer; VNC clients come to this unix socket. */
  readonly screenSocket?: string | undefined;
  /** Everything that the guest writes to its console is appended here. */
  readonly consoleLog: string;
  readonly pidFile: string;
  /** Seccomp filter; only where QEMU was built with it (see `inspectQemu`). */
  readonly sandbox: boolean;
  /** UUID; a changed one tells the guest's kernel that it was copied. */
  readonly vmGenerationId: string;
  /** Wait for QMP `cont` before the first instruction. */
  readonly stopped?: boolean;
  /** Wait for QMP `migrate-incoming` instead of booting. */
  readonly incoming?: boolean;
}

/** Names inside QEMU that other rooms use over QMP. */
export const qemuIds = {
  disk: "disk",
  seed: "seed",
  netdev: "net0",
  nic: "nic0",
} as const;

/** Name of the virtio-serial port; in the guest `/dev/virtio-ports/<name>`. */
export const handoffPort = "guesthouse.handoff.0";

/** Free PCI Express slots for later hot-plug (disks, network cards). */
const spareSlots = 3;

/**
 * The arguments of QEMU 7.2 or newer for one VM. Pure.
 * Options: https://www.qemu.org/docs/master/system/invocation.html.
 */
export function qemuArguments(spec: VmSpec): string[] {
  return [
    ...identity(spec),
    ...machine(spec),
    ...boot(spec),
    ...disks(spec),
    ...networkCard(spec),
    ...channels(spec),
    ...handoff(spec),
    ...extras(spec),
    ...screen(spec),
    ...process(spec),
  ];
}

export function identity(spec: Pick<VmSpec, "name" | "uuid">): string[] {
  return [
    ...["-name", `guest=${escaped(spec.name)},debug-threads=on`],
    ...["-uuid", spec.uuid],
    "-nodefaults",
    "-no-user-config",
    ...["-display", "none"],
  ];
}

function machine(spec: VmSpec): string[] {
  const cpus = String(spec.cpus);
  return [
    ...processorArguments(spec),
    ...["-smp", `cpus=${cpus},sockets=1,cores=${cpus},threads=1`],
    ...["-m", `size=${String(spec.memoryMiB)}M`],
    ...["-object", memoryBackend(spec), "-machine", "memory-backend=memory"],
  ];
}

/** One name for the memory of every machine, so that a state saved by one kind can be resumed as another. */
export function memoryBackend({
  memoryMiB,
  memoryFile,
}: Pick<VmSpec, "memoryMiB" | "memoryFile">): string {
  const size = `size=${String(memoryMiB)}M`;
  return memoryFile === undefined
    ? `memory-backend-ram,id=memory,${size}`
    : `memory-backend-file,id=memory,${size},mem-path=${escaped(memoryFile.path)},share=${memoryFile.shared ? "on" : "off"}`;
}

/** Machine, accelerator and processor model: what the accelerator's trial must share with a real machine. */
export function processorArguments(
  spec: Pick<VmSpec, "arch" | "accelerator" | "cpus" | "machineType">,
): string[] {
  return [
    ...["-machine", machineOptions(spec)],
    ...["-accel", acceleratorOptions(spec.accelerator)],
    ...["-cpu", cpuModel(spec)],
  ];
}

/** Interrupt controller version 2 of `virt` serves eight processors only. */
const gicV2Processors = 8;

function machineOptions(
  spec: Pick<VmSpec, "arch" | "accelerator" | "cpus" | "machineType">,
): string {
  const { arch, machineType = arch === "x86_64" ? "q35" : "virt" } = spec;
  if (arch === "x86_64") return `${machineType},usb=off,vmport=off`;
  if (spec.accelerator !== "hvf") return `${machineType},gic-version=max`;
  // Version 3 came to HVF with QEMU 8.0; the default is all that 7.2 can do there.
  return spec.cpus > gicV2Processors
    ? `${machineType},gic-version=3`
    : machineType;
}

export function acceleratorOptions(kind: AcceleratorKind): string {
  switch (kind) {
    case "kvm":
    case "hvf":
      return kind;
    case "whpx":
      // The in-kernel interrupt controller of Windows loses interrupts of MSI devices.
      return "whpx,kernel-irqchip=off";
    case "tcg":
      return "tcg,tb-size=256";
  }
}

export function cpuModel(spec: Pick<VmSpec, "arch" | "accelerator">): string {
  switch (spec.accelerator) {
    case "kvm":
    case "hvf":
      return "host";
    case "whpx":
      // Knows no `host`, and `max` claims features that the guest then trips over ("Unexpected VP exit code 4").
      return baselineX86;
    case "tcg":
      return spec.arch === "x86_64" ? baselineX86 : "max";
  }
}

/**
 * qemu64 with what x86-64-v2 asks for, and what makes ciphers and the random seed cheap. Booting a guest under
 * emulation costs the same processor time as with plain qemu64 and with `max`, and unlike plain qemu64 it runs
 * distributions that are built for v2.
 */
const baselineX86 =
  "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+pclmulqdq,+rdrand";

function boot(spec: VmSpec): string[] {
  if (spec.directBoot !== undefined) {
    const { kernel, initrd, arguments: append } = spec.directBoot;
    return [
      ...["-kernel", kernel],
      ...(initrd === undefined ? [] : ["-initrd", initrd]),
      ...["-append", append],
    ];
  }
  return spec.firmwarePath === undefined ? [] : ["-bios", spec.firmwarePath];
}

function disks(spec: VmSpec): string[] {
  const { disk, seed } = qemuIds;
  return [
    ...blockdev(disk, "qcow2", spec.diskPath, [
      "discard=unmap",
      "detect-zeroes=unmap",
      "file.discard=unmap",
    ]),
    ...[
      "-device",
      // A directly booted kernel holds boot index 0.
      `virtio-blk-pci,id=${disk}0,drive=${disk},serial=guesthouse-disk,bootindex=1`,
    ],
    ...(spec.seedPath === undefined
      ? []
      : [
          ...blockdev(seed, "raw", spec.seedPath, ["read-only=on"]),
          ...[
            "-device",
            `virtio-blk-pci,id=${seed}0,drive=${seed},serial=guesthouse-seed`,
          ],
        ]),
  ];
}

export function blockdev(
  node: string,
  driver: string,
  path: string,
  options: readonly string[],
): string[] {
  return [
    "-blockdev",
    [
      `driver=${driver}`,
      `node-name=${node}`,
      ...options,
      "file.driver=file",
      `file.filename=${escaped(path)}`,
    ].join(","),
  ];
}

function networkCard(spec: VmSpec): string[] {
  const { netdev, nic } = qemuIds;
  return [
    ...["-netdev", netdevOptions(spec.network)],
    // No romfile: nobody boots from the network, and iPXE costs half a second of firmware time.
    ...[
      "-device",
      `virtio-net-pci,id=${nic},netdev=${netdev},mac=${spec.macAddress},romfile=`,
    ],
  ];
}

export function netdevOptions(network: VmNetwork): string {
  const { netdev } = qemuIds;
  switch (network.backend) {
    case "user":
      return [
        `user,id=${netdev},ipv6=off,dhcpstart=${network.firstLease}`,
        ...network.forwards.map(
          ({ hostPort, guestPort }) =>
            `hostfwd=tcp:127.0.0.1:${String(hostPort)}-${network.guestAddress}:${String(guestPort)}`,
        ),
      ].join(",");
    case "passt":
      return `stream,id=${netdev},server=off,addr.type=unix,addr.path=${escaped(network.socketPath)}`;
  }
}

/** Monitor, console and guest agent: each a unix socket that clients come to and leave as they like. */
export function channels(
  spec: Pick<
    VmSpec,
    "qmpSocket" | "consoleSocket" | "consoleLog" | "agentSocket"
  >,
): string[] {
  return [
    ...["-chardev", listening("qmp", spec.qmpSocket)],
    ...["-mon", "chardev=qmp,mode=control"],
    ...[
      "-chardev",
      `${listening("console", spec.consoleSocket)},logfile=${escaped(spec.consoleLog)},logappend=on`,
    ],
    ...["-serial", "chardev:console"],
    ...["-chardev", listening("agent", spec.agentSocket)],
    ...["-device", "virtio-serial-pci,id=channels,max_ports=4"],
    ...[
      "-device",
      "virtserialport,bus=channels.0,nr=1,chardev=agent,name=org.qemu.guest_agent.0",
    ],
  ];
}

/**
 * FIFOs and not a socket: QEMU holds both ends open, so the guest sees a connected port and sleeps in its read, whether
 * or not anybody is at the host's end.
 */
function handoff({ handoffPath }: VmSpec): string[] {
  return [
    ...["-chardev", `pipe,id=handoff,path=${escaped(handoffPath)}`],
    ...[
      "-device",
      `virtserialport,bus=channels.0,nr=2,chardev=handoff,name=${handoffPort}`,
    ],
  ];
}

const listening = (id: string, path: string): string =>
  `socket,id=${id},path=${escaped(path)},server=on,wait=off`;

function extras(spec: VmSpec): string[] {
  return [
    ...["-object", "rng-builtin,id=random"],
    ...["-device", "virtio-rng-pci,rng=random"],
    // On ARM the device came with QEMU 10.
    ...(spec.arch === "x86_64"
      ? ["-device", `vmgenid,guid=${spec.vmGenerationId}`]
      : []),
    ...Array.from({ length: spareSlots }, (_, index) => {
      const number = String(index + 1);
      return [
        "-device",
        `pcie-root-port,id=spare${number},chassis=${number},slot=${number}`,
      ];
    }).flat(),
  ];
}

/**
 * What a machine has that somebody may look at, and the VNC server that shows it: on a unix socket, without a port or a
 * password, since whoever can open that socket can end the process, too.
 *
 * - The plain VGA adapter of x86 shows firmware, boot loaders and every system without a driver of its own; it is part
 *   of saved states, but can't be plugged into a running machine. ARM's machine has no VGA memory: virtio there.
 * - The tablet tells where the pointer is and not how far it went, so it follows the one that the user sees.
 * - x86 has a keyboard on its board; ARM gets one on the tablet's bus.
 */
export function screen({
  arch,
  screenSocket,
}: Pick<VmSpec, "arch" | "screenSocket">): string[] {
  if (screenSocket === undefined) return [];
  const isX86 = arch === "x86_64";
  return [
    ...["-device", `${isX86 ? "VGA" : "virtio-gpu-pci"},id=screen`],
    ...["-device", "qemu-xhci,id=usb"],
    ...["-device", "usb-tablet,id=pointer,bus=usb.0"],
    ...(isX86 ? [] : ["-device", "usb-kbd,id=keyboard,bus=usb.0"]),
    // Nobody who connects drives the others out.
    ...["-vnc", `unix:${escaped(screenSocket)},share=ignore`],
  ];
}

export function process(
  spec: Pick<VmSpec, "sandbox" | "pidFile" | "stopped" | "incoming">,
): string[] {
  return [
    ...(spec.sandbox ? ["-sandbox", sandboxOptions] : []),
    ...["-pidfile", spec.pidFile],
    ...(spec.stopped === true ? ["-S"] : []),
    ...(spec.incoming === true ? ["-incoming", "defer"] : []),
  ];
}

export const sandboxOptions =
  "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/** A comma inside a value of QEMU's `key=value` lists is doubled. */
export const escaped = (value: string): string => value.replaceAll(",", ",,");
