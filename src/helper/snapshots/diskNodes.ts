import * as z from "zod";
import { failed } from "../../protocol/failure.ts";
import { qemuIds } from "../qemu/commandLine.ts";
import type { Qmp } from "../qemu/qmp.ts";

export interface ActiveDisk {
  /** Name of the node that the guest writes to. */
  readonly node: string;
  /** The overlay that it is, as given to `addOverlayNode`; undefined for the disk that QEMU was started with. */
  readonly overlay: string | undefined;
  /** Every other overlay that QEMU has open. */
  readonly others: readonly string[];
}

const devicesSchema = z.array(
  z.object({
    qdev: z.string().default(""),
    inserted: z.object({ "node-name": z.string() }).optional(),
  }),
);
const nodesSchema = z.array(z.object({ "node-name": z.string() }));

/** Where the guest's disk writes to now. Throws `qemu.monitor`, also for a machine without our disk. */
export async function activeDisk(
  qmp: Qmp,
  signal?: AbortSignal,
): Promise<ActiveDisk> {
  const devices = devicesSchema.parse(
    await qmp.execute("query-block", undefined, {}, signal),
  );
  const device = devices.find(({ qdev }) =>
    qdev.split("/").includes(`${qemuIds.disk}0`),
  );
  const node = device?.inserted?.["node-name"];
  if (node === undefined)
    throw failed("qemu.monitor", "QEMU does not know the machine's disk.", {
      remedy: "Restart the machine, then try again.",
    });
  // Names and not files: QEMU describes an overlay whose backing was given apart as `json:{…}`.
  const overlay = overlayOf(node);
  const others = nodesSchema
    .parse(
      await qmp.execute("query-named-block-nodes", { flat: true }, {}, signal),
    )
    .map((each) => overlayOf(each["node-name"]))
    .filter((each) => each !== undefined)
    .filter((each) => each !== overlay);
  return { node, overlay, others };
}

/** A node's name for an overlay: every one that a QEMU has ever seen needs another. */
export const nodeOf = (overlay: string): string => `${qemuIds.disk}-${overlay}`;

const overlayOf = (node: string): string | undefined =>
  node.startsWith(nodeOf("")) ? node.slice(nodeOf("").length) : undefined;

/** Opens an overlay as `commandLine.ts` opens the disk, without what is below, which QEMU has open already. */
export async function addOverlayNode(
  qmp: Qmp,
  overlay: string,
  path: string,
): Promise<void> {
  await qmp.execute("blockdev-add", {
    driver: "qcow2",
    "node-name": nodeOf(overlay),
    discard: "unmap",
    "detect-zeroes": "unmap",
    backing: null,
    file: { driver: "file", filename: path, discard: "unmap" },
  });
}

/** From the answer on, the guest writes to `overlay`, and `node` is read only. QEMU waits for requests under way. */
export async function switchToOverlay(
  qmp: Qmp,
  node: string,
  overlay: string,
): Promise<void> {
  await qmp.execute(
    "blockdev-snapshot",
    { node, overlay },
    { timeoutMs: 60_000 },
  );
}

export async function dropNode(qmp: Qmp, node: string): Promise<void> {
  await qmp.execute("blockdev-del", { "node-name": node });
}
