import * as z from "zod";
import { promiseWithResolvers, sleep } from "../../base/deadline.ts";
import type { Qmp } from "./qmp.ts";

/** Names inside QEMU of the one disk that may be lent to a running guest. */
const node = "lent";
const device = "lent0";
/** Of the spare slots in `commandLine.ts` the last: others are taken from the first on. */
const slot = "spare3";

/** What `qom-list` answers: https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html. */
const childrenSchema = z.array(z.object({ name: z.string() }));

/** How long a guest may take to let go of a device. One that is booting or hangs never does. */
const unplugMs = 15_000;

/**
 * Shows a raw file to a running guest as a further virtio disk, read only. The guest finds it by `serial` (at most 20
 * characters). Throws `qemu.monitor`, and then nothing is plugged in.
 */
export async function plugDisk(
  qmp: Qmp,
  path: string,
  serial: string,
): Promise<void> {
  await qmp.execute("blockdev-add", {
    driver: "raw",
    "node-name": node,
    "read-only": true,
    file: { driver: "file", filename: path, "read-only": true },
  });
  try {
    await qmp.execute("device_add", {
      driver: "virtio-blk-pci",
      id: device,
      drive: node,
      serial,
      bus: slot,
    });
  } catch (error) {
    await dropNode(qmp);
    throw error;
  }
}

/**
 * Takes the disk away again; fine when there is none. Answers false when the guest does not let go of it in time. The
 * guest decides, so QEMU's event is waited for.
 */
export async function unplugDisk(
  qmp: Qmp,
  timeoutMs = unplugMs,
): Promise<boolean> {
  const { promise: deleted, resolve } = promiseWithResolvers<boolean>();
  const stop = qmp.onEvent(({ event, data }) => {
    if (event === "DEVICE_DELETED" && data["device"] === device) resolve(true);
  });
  const over = new AbortController();
  try {
    if (await isPlugged(qmp)) {
      await qmp.execute("device_del", { id: device });
      const gone = await Promise.race([
        deleted,
        sleep(timeoutMs, over.signal).then(
          () => false,
          () => false,
        ),
      ]);
      if (!gone) return false;
    }
    await dropNode(qmp);
    return true;
  } finally {
    over.abort();
    await stop();
  }
}

/** A state that is saved meanwhile would ask for this disk for ever. */
export async function isPlugged(qmp: Qmp): Promise<boolean> {
  const devices = childrenSchema.parse(
    await qmp.execute("qom-list", { path: "/machine/peripheral" }),
  );
  return devices.some(({ name }) => name === device);
}

/** It may not be there, or not any more. */
async function dropNode(qmp: Qmp): Promise<void> {
  await qmp
    .execute("blockdev-del", { "node-name": node })
    .catch(() => undefined);
}
