import type { Forward } from "../../../protocol/forwards.ts";
import { findPasst } from "../../networks/passtProcess.ts";
import { passtForwards } from "../../networks/passt.ts";
import type { PortForward } from "../../qemu/commandLine.ts";
import type { ProcessIdentity } from "../../qemu/process.ts";
import { processTable } from "../../processes/table.ts";
import type { MachineFiles } from "../../store/layout.ts";
import type { MachineHandles, MachineRecord } from "../../store/records.ts";
import { leasesIn } from "../identity/addresses.ts";
import { sizeOf } from "../roster/bootLog.ts";

/** What a lost handles file said, read back from the command lines of QEMU and of its passt. */
export async function rebuildHandles(
  files: MachineFiles,
  identity: ProcessIdentity,
  record: MachineRecord,
): Promise<MachineHandles> {
  const args = (await (await processTable()).commandLine(identity.pid)) ?? [];
  const onPasst = args.some((arg) => arg.includes(files.network.socketPath));
  return {
    ...identity,
    startedAtMs: Date.now(),
    way: "cold",
    accelerator: acceleratorOf(args),
    acceleratorReason: "taken over from a running machine",
    ...(onPasst
      ? await passtHandles(files)
      : {
          ...splitForwards(userForwards(args)),
          leases: leasesIn(args, record.guestAddress),
          network: network("user"),
        }),
    logOffset: await sizeOf(files.log),
    boot: [],
  };
}

type NetworkHandles = Pick<
  MachineHandles,
  "sshPort" | "forwards" | "leases" | "network"
>;

async function passtHandles(files: MachineFiles): Promise<NetworkHandles> {
  const { socketPath } = files.network;
  // The outer one of two is the older one: it ends when the inner one does.
  const [found] = (await findPasst(socketPath)).sort(
    (one, other) => one.pid - other.pid,
  );
  const args =
    found === undefined
      ? []
      : await (await processTable()).commandLine(found.pid);
  return {
    ...splitForwards(passtForwards(args ?? [])),
    leases: 0,
    network: {
      ...network("passt"),
      // One that never was, where it is gone: the machine has lost its network.
      process: found ?? { pid: 0, startTime: "" },
    },
  };
}

const network = (backend: "user" | "passt"): MachineHandles["network"] => ({
  backend,
  hostLoopbackReachable: backend === "user",
  reason: "Taken over from a running machine.",
});

/** As `hostfwd=tcp:127.0.0.1:2222-10.0.2.32:22` names them. Pure. */
export const userForwards = (args: readonly string[]): PortForward[] =>
  [
    ...args.join(" ").matchAll(/hostfwd=tcp:127\.0\.0\.1:(\d+)-[^:,]*:(\d+)/g),
  ].map(([, hostPort, guestPort]) => ({
    hostPort: Number(hostPort),
    guestPort: Number(guestPort),
  }));

function splitForwards(all: readonly PortForward[]): {
  sshPort: number;
  forwards: Forward[];
} {
  const ssh = all.find(({ guestPort }) => guestPort === 22);
  return {
    sshPort: ssh?.hostPort ?? 0,
    forwards: all
      .filter((forward) => forward !== ssh)
      .map((forward) => ({ ...forward, protocol: "tcp" })),
  };
}

function acceleratorOf(args: readonly string[]): MachineHandles["accelerator"] {
  const value = args[args.indexOf("-accel") + 1] ?? "";
  const found = (["kvm", "hvf", "whpx"] as const).find((kind) =>
    value.startsWith(kind),
  );
  return found ?? "tcg";
}
