export type NetworkChoice =
  | {
      readonly backend: "user";
      readonly hostLoopbackReachable: true;
      readonly reason: string;
    }
  | {
      readonly backend: "passt";
      readonly hostLoopbackReachable: false;
      readonly reason: string;
    };
/** Which back end new VMs get, and why. */
export declare function chooseNetwork(
  signal?: AbortSignal,
): Promise<NetworkChoice>;
