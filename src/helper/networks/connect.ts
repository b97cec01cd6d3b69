import type { Log } from "../../base/log.ts";
import { GuesthouseError } from "../../protocol/failure.ts";
import type { PortForward, VmNetwork } from "../qemu/commandLine.ts";
import type { ProcessIdentity } from "../qemu/process.ts";
import type { NetworkChoice } from "./backend.ts";
import { passtCommand } from "./passt.ts";
import { removePasst, startPasst } from "./passtProcess.ts";

/** What a machine asks of its network. */
export interface NetworkNeeds {
  /** The user lets it reach servers on the host's loopback. */
  readonly hostLoopback: boolean;
  /** Ports beside SSH's are forwarded. */
  readonly forwards: boolean;
  /** The state that it goes on from has the user network's own state in it, and loads nowhere else. */
  readonly savedOnUserNetwork: boolean;
}

/** What this machine is connected with, given what the host offers. Pure. */
export function networkFor(
  choice: NetworkChoice,
  needs: NetworkNeeds,
): NetworkChoice {
  const user = (reason: string): NetworkChoice => ({ backend: "user", reason });
  if (needs.hostLoopback)
    return user("The machine is allowed to reach this host's loopback.");
  if (choice.backend === "user") return choice;
  if (needs.savedOnUserNetwork)
    return user(
      "Its saved state comes from QEMU's user network and goes on there; the next boot uses passt.",
    );
  if (needs.forwards && !choice.serversSpeakFirst)
    return user(
      "The machine forwards ports, and this release of passt does not deliver what a server says first.",
    );
  return choice;
}

export interface ConnectWish {
  readonly guestAddress: string;
  /** For the user network only; see `machines/identity/addresses.ts`. */
  readonly firstLease: string;
  readonly forwards: readonly PortForward[];
  readonly socketPath: string;
  readonly pidFile: string;
  readonly logPath: string;
  readonly cwd: string;
}

/** A network that waits for its machine's QEMU. */
export interface Connection {
  readonly network: VmNetwork;
  readonly reason: string;
  /** The back end's own process, where it has one; it ends with QEMU. */
  readonly process?: ProcessIdentity;
  /** For a QEMU that never came. */
  end(): Promise<void>;
}

/**
 * Gets a network ready. Where passt doesn't start, on a host that is offline for instance, the user network serves
 * instead and says so. Throws `machines.portTaken`.
 */
export async function connectNetwork(
  choice: NetworkChoice,
  wish: ConnectWish,
  log: Log,
  signal?: AbortSignal,
): Promise<Connection> {
  if (choice.backend === "user") return userNetwork(wish, choice.reason);
  try {
    const identity = await startPasst(
      {
        ...wish,
        command: passtCommand(choice.programs, choice.mode, {
          ...wish,
          isRoot: process.getuid?.() === 0,
        }),
      },
      signal,
    );
    return {
      network: { backend: "passt", socketPath: wish.socketPath },
      reason: choice.reason,
      process: identity,
      // The one inside a namespace would go on waiting for its client.
      end: () => removePasst(wish),
    };
  } catch (error) {
    if (!(error instanceof GuesthouseError)) throw error;
    if (error.failure.code !== "machines.startFailed") throw error;
    log.warn("passt does not start: the user network serves instead", {
      error,
    });
    return userNetwork(wish, error.failure.message);
  }
}

const userNetwork = (
  { guestAddress, firstLease, forwards }: ConnectWish,
  reason: string,
): Connection => ({
  network: { backend: "user", guestAddress, firstLease, forwards },
  reason,
  end: () => Promise.resolve(),
});
