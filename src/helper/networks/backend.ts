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

/** Which back end new machines get, and why. */
export function chooseNetwork(signal?: AbortSignal): Promise<NetworkChoice> {
  signal?.throwIfAborted();
  return Promise.resolve({
    backend: "user",
    hostLoopbackReachable: true,
    reason:
      "QEMU's own user-mode network works everywhere without rights or another process.",
  });
}
