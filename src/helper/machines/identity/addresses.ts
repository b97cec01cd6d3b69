import { prefix } from "../../networks/guestNetwork.ts";

/** Room below is for `firstLease`. */
const firstHost = 32;
const lastHost = 250;

/** The lowest address that no other machine has; the numbers repeat when there are more machines than numbers. Pure. */
export function freeAddress(taken: Iterable<string>): string {
  const used = new Map<number, number>();
  for (const address of taken) {
    const host = hostNumber(address);
    used.set(host, (used.get(host) ?? 0) + 1);
  }
  let best = firstHost;
  for (let host = firstHost; host <= lastHost; host++) {
    if ((used.get(host) ?? 0) < (used.get(best) ?? 0)) best = host;
    if (!used.has(best)) break;
  }
  return `${prefix}${String(best)}`;
}

/**
 * Where the DHCP range of QEMU's user network must begin for the newest card to be handed `address`. The network's
 * memory of earlier cards is part of a state that was saved with it: the template's card holds the first place of the
 * range, a clone's the second, and so on. Pure.
 */
export const firstLease = (address: string, leases: number): string =>
  `${prefix}${String(hostNumber(address) - (leases - 1))}`;

/** The number of leases, read back from a running QEMU's arguments. Pure. */
export function leasesIn(args: readonly string[], address: string): number {
  const first = /dhcpstart=([\d.]+)/.exec(args.join(" "))?.[1] ?? address;
  return hostNumber(address) - hostNumber(first) + 1;
}

const hostNumber = (address: string): number =>
  Number(address.slice(address.lastIndexOf(".") + 1));
