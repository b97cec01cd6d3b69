import { withDeadline } from "../../base/deadline.ts";
import { cancelled } from "../../protocol/failure.ts";
import type { Qmp } from "../qemu/qmp.ts";
import { startMigration } from "./saveState.ts";
import { receiveStream } from "./receiver.ts";

const timeoutMs = 60_000;

/**
 * Writes the devices' state of a paused machine whose memory lies in a shared file, and nothing of that memory. The
 * machine lets go of its disk; it is meant to end now. Throws `machines.captureFailed` or `host.diskFull`; then there
 * is no file.
 */
export async function saveDevices(
  qmp: Qmp,
  paths: { readonly file: string; readonly socket: string },
  signal: AbortSignal,
): Promise<void> {
  const receiver = await receiveStream(paths.socket, paths.file);
  try {
    await qmp.execute("migrate-set-capabilities", {
      capabilities: [
        { capability: "events", state: true },
        { capability: "x-ignore-shared", state: true },
      ],
    });
    const migration = await startMigration(qmp, paths.socket);
    try {
      await withDeadline(
        "Saving the template's state",
        timeoutMs,
        () =>
          Promise.race([
            migration.reached("completed"),
            receiver.received.then(() => migration.reached("completed")),
          ]),
        signal,
      );
    } finally {
      void migration.close();
    }
    await receiver.received;
    await receiver.keep();
  } catch (error) {
    if (signal.aborted) throw cancelled();
    throw error;
  } finally {
    await receiver.close();
  }
}
