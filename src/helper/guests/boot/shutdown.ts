import { withDeadline } from "../../../base/deadline.ts";
import { withAgent } from "../agent/agent.ts";

export interface ShutdownAsked {
  /** Who passed the request on. The guest's end is seen by QEMU's, not here. */
  readonly by: "agent" | "acpi";
  /** True when the guest said that everything is on its disk. */
  readonly synced: boolean;
}

/** An agent that is there answers within a second, even emulated; the sync takes what it takes. */
const agentTimeoutMs = 3_000;
const syncTimeoutMs = 30_000;

/**
 * Asks the guest to write its data out and shut down (B17): by its agent, else by the power button, `powerButton`.
 * Both, when the agent synced but would not shut down. Throws what `powerButton` throws, and the signal's reason.
 */
export async function requestShutdown(
  agentSocket: string,
  powerButton: () => Promise<void>,
  signal?: AbortSignal,
): Promise<ShutdownAsked> {
  let synced = false;
  try {
    await withAgent(
      agentSocket,
      { timeoutMs: agentTimeoutMs, tries: 1 },
      async (agent) => {
        synced = await withDeadline(
          "sync",
          syncTimeoutMs,
          (within) => agent.sync(within),
          signal,
        ).then(
          () => true,
          () => false,
        );
      },
      signal,
    );
    // A fresh connection: a sync that timed out leaves a broken one behind.
    await withAgent(
      agentSocket,
      { timeoutMs: agentTimeoutMs, tries: 1 },
      (agent) => agent.shutdown("powerdown", signal),
      signal,
    );
    return { by: "agent", synced };
  } catch {
    signal?.throwIfAborted();
    await powerButton();
    return { by: "acpi", synced };
  }
}
