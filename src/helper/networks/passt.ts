import { basename } from "node:path";
import type { PortForward } from "../qemu/commandLine.ts";
import {
  gatewayAddress,
  gatewayMac,
  nameServerAddress,
  prefixLength,
} from "./guestNetwork.ts";

/**
 * How passt is kept from the host's loopback. Every release leaves the gateway's address unmapped when told so. Those
 * before 2024 connect a packet that the guest's root addresses to 127.0.0.1 all the same: such a one is run `confined`,
 * in a network namespace that pasta, its sister program, makes and connects. There, 127.0.0.1 is the namespace's own.
 */
export const passtModes = ["bare", "confined"] as const;
export type PasstMode = (typeof passtModes)[number];

export interface PasstPrograms {
  readonly passt: string;
  /** Comes with passt; absent where somebody took it out. */
  readonly pasta?: string;
}

export interface PasstWish {
  readonly guestAddress: string;
  readonly forwards: readonly PortForward[];
  /** Where QEMU finds it. Also what its command line is recognised by. */
  readonly socketPath: string;
  /** Written once everything is set up. */
  readonly pidFile: string;
  /** `process.getuid() === 0`: passt would change to `nobody`, who can't reach our folders. */
  readonly isRoot: boolean;
}

export interface Command {
  readonly binary: string;
  readonly args: readonly string[];
}

/**
 * The command that connects one guest to the network, for passt of 2023-03 and newer; see passt(1). It ends by itself
 * when QEMU does. IPv4 alone, as with QEMU's user network. Pure.
 */
export function passtCommand(
  { passt, pasta }: PasstPrograms,
  mode: PasstMode,
  wish: PasstWish,
): Command {
  if (mode === "bare" || pasta === undefined)
    return {
      binary: passt,
      args: passtArguments(wish, ["--dns-forward", nameServerAddress]),
    };
  return {
    binary: pasta,
    args: [
      ...["--foreground", "--quiet", "--config-net", "--ipv4-only"],
      // Root needs no user namespace, and may not be allowed one.
      ...(wish.isRoot ? ["--netns-only", "--runas", "0:0"] : []),
      ...["--address", namespace.address, "--netmask", namespace.netmask],
      ...["--gateway", namespace.gateway, "--no-map-gw"],
      // What passt sends to the name server's address arrives here: from the host, also a resolver on loopback answers.
      ...["--dns-forward", nameServerAddress],
      ...wish.forwards.flatMap(({ hostPort }) => [
        "--tcp-ports",
        `127.0.0.1/${String(hostPort)}`,
      ]),
      ...["--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"],
      "--",
      passt,
      ...passtArguments(wish, ["--dns", nameServerAddress]),
    ],
  };
}

/** 192.0.0.0/29 is for use within one host (RFC 7335), so it hides no network that the guest may want to reach. */
const namespace = {
  address: "192.0.0.4",
  netmask: "29",
  gateway: "192.0.0.1",
} as const;

const passtArguments = (
  wish: PasstWish,
  names: readonly string[],
): string[] => [
  ...["--foreground", "--quiet", "--one-off", "--ipv4-only"],
  ...(wish.isRoot ? ["--runas", "0:0"] : []),
  ...["--socket", wish.socketPath, "--pid", wish.pidFile],
  ...["--address", wish.guestAddress, "--netmask", String(prefixLength)],
  ...["--gateway", gatewayAddress, "--mac-addr", gatewayMac],
  // No MTU: a state that is saved here may be resumed on QEMU's user network, which knows 1500 only.
  ...["--mtu", "0"],
  "--no-map-gw",
  ...names,
  ...wish.forwards.flatMap(({ hostPort, guestPort }) => [
    "--tcp-ports",
    `127.0.0.1/${String(hostPort)}:${String(guestPort)}`,
  ]),
  ...["--udp-ports", "none"],
];

/** Is this the command line of a passt, or of the pasta around it, that was given `marker`? Pure. */
export const namesPasst = (args: readonly string[], marker: string): boolean =>
  /^pass?ta?(\.avx2)?$/.test(basename(args[0] ?? "")) &&
  args.some((arg) => arg.startsWith(marker));

/** Forwarded ports as a passt's command line has them. Pure. */
export const passtForwards = (args: readonly string[]): PortForward[] =>
  [...args.join(" ").matchAll(/--tcp-ports 127\.0\.0\.1\/(\d+):(\d+)/g)].map(
    ([, hostPort, guestPort]) => ({
      hostPort: Number(hostPort),
      guestPort: Number(guestPort),
    }),
  );
