import { promiseWithResolvers, withDeadline } from "../../base/deadline.ts";
import { failed } from "../../protocol/failure.ts";
import type { Qmp } from "./qmp.ts";

/** https://www.qemu.org/docs/master/devel/migration/main.html, and `MigrationStatus` of the QMP reference. */
type MigrationEnd = "completed" | "failed" | "cancelled";

export interface MigrationOptions {
  /** The stream holds the devices only: the memory lies in a file. */
  readonly ignoreShared: boolean;
}

const restoreTimeoutMs = 120_000;

/**
 * Loads a saved state into a QEMU that was started with `-incoming defer` and inherited the state's file; answers when
 * the guest stands there, paused. QEMU ends itself on a state that doesn't fit its devices: `machines.captureFailed`.
 */
export async function restoreState(
  qmp: Qmp,
  inheritedFd: number,
  { ignoreShared }: MigrationOptions,
  signal?: AbortSignal,
): Promise<void> {
  await setCapabilities(qmp, ignoreShared);
  const end = migrationEnd(qmp);
  await qmp.execute("migrate-incoming", { uri: `fd:${String(inheritedFd)}` });
  const how = await withDeadline(
    "Loading the saved state",
    restoreTimeoutMs,
    () => end,
    signal,
  );
  if (how !== "completed")
    throw failed(
      "machines.captureFailed",
      "QEMU could not load the saved state.",
      { remedy: otherQemu },
    );
  // A state that this machine saves later holds its memory, wherever that came from.
  if (ignoreShared) await setCapabilities(qmp, false);
}

const otherQemu =
  "It was saved by another version of QEMU or with other devices. Start the machine cold (guesthouse start --cold): it boots from its disk, which is complete.";

const setCapabilities = (qmp: Qmp, ignoreShared: boolean): Promise<unknown> =>
  qmp.execute("migrate-set-capabilities", {
    capabilities: [
      { capability: "events", state: true },
      { capability: "x-ignore-shared", state: ignoreShared },
    ],
  });

function migrationEnd(qmp: Qmp): Promise<MigrationEnd> {
  const { promise, resolve, reject } = promiseWithResolvers<MigrationEnd>();
  const stop = qmp.onEvent(({ event, data }) => {
    if (event !== "MIGRATION") return;
    const status = data["status"];
    if (status === "completed" || status === "failed" || status === "cancelled")
      resolve(status);
  });
  void qmp.closed.then(() =>
    reject(
      failed(
        "machines.captureFailed",
        "QEMU ended while the state was being loaded.",
        { remedy: otherQemu },
      ),
    ),
  );
  promise.catch(() => undefined);
  return promise.finally(stop);
}
