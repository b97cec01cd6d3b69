export type NetworkChoice =
  | {
      readonly backend: "user";
      /** The guest reaches servers on the host's loopback through the gateway address 10.0.2.2. */
      readonly hostLoopbackReachable: true;
      readonly reason: string;
    }
  | {
      readonly backend: "passt";
      readonly hostLoopbackReachable: false;
      readonly reason: string;
    };

/**
 * Which back end new machines get, and why.
 *
 * passt (with `--no-map-gw`) would cut guests off from the host's loopback, and guests boot and answer on it. But the
 * release in Debian 12 (2023-03) never delivers what a server says first: a client that waits silently, as those of
 * databases and mail do, gets nothing on a forwarded port, ever. That release can't be told from a later one by its
 * `--version` ("unknown version"), so passt is not chosen at all until one is known to work. libslirp could refuse the
 * loopback (`disable_host_loopback`), but QEMU has no option for it.
 */
export function chooseNetwork(signal?: AbortSignal): Promise<NetworkChoice> {
  signal?.throwIfAborted();
  return Promise.resolve({
    backend: "user",
    hostLoopbackReachable: true,
    reason:
      "QEMU's own user-mode network needs no rights and no other process, and forwarded ports work for every protocol.",
  });
}
