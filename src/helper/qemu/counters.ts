import * as z from "zod";
import { GuesthouseError } from "../../protocol/failure.ts";
import { qemuIds } from "./commandLine.ts";
import type { Qmp } from "./qmp.ts";

/** What crossed the guest's network card, seen from QEMU's side of the queues, not by the guest's word (B5, B8). */
export interface NetworkCounters {
  /** False: no driver in the guest has taken the card. */
  readonly driver: boolean;
  /** Since the driver started, modulo 65,536: zero means nothing at all. */
  readonly sentFrames: number;
  readonly receivedFrames: number;
}

const receiveQueue = 0;
const transmitQueue = 1;

const deviceSchema = z.object({
  status: z.object({
    statuses: z.array(z.string()).default([]),
  }),
});
const queueSchema = z.object({ "used-idx": z.number() });

/**
 * QEMU has no byte counters for emulated cards, but each virtio queue keeps a 16-bit count of the buffers that were
 * used up, one a frame. The queries came with 7.2 and are marked unstable: undefined where they are gone or changed.
 * https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html (x-query-virtio-queue-status)
 */
export async function networkCounters(
  qmp: Qmp,
  signal?: AbortSignal,
): Promise<NetworkCounters | undefined> {
  const path = `/machine/peripheral/${qemuIds.nic}/virtio-backend`;
  try {
    const device = deviceSchema.parse(
      await qmp.execute("x-query-virtio-status", { path }, {}, signal),
    );
    const driver = device.status.statuses.some((status) =>
      status.startsWith("VIRTIO_CONFIG_S_DRIVER_OK"),
    );
    if (!driver) return { driver, sentFrames: 0, receivedFrames: 0 };
    const frames = async (queue: number): Promise<number> =>
      queueSchema.parse(
        await qmp.execute(
          "x-query-virtio-queue-status",
          { path, queue },
          {},
          signal,
        ),
      )["used-idx"];
    return {
      driver,
      sentFrames: await frames(transmitQueue),
      receivedFrames: await frames(receiveQueue),
    };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof z.ZodError || error instanceof GuesthouseError)
      return undefined;
    throw error;
  }
}
