import { randomBytes } from "node:crypto";
import type { SshSession } from "../../ssh/session.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import { rewriteMachineSeed } from "./seed.ts";
import type { Entry, Live } from "../roster/entry.ts";
import { can } from "../roster/systems.ts";
import type { MachineRegistry } from "../roster/registry.ts";

/*
 * A guest takes its host key, its user and that user's rights from its seed once, and knows by the instance id that it
 * did. It doesn't wait for its disk: for half a minute after their creation such files may be there with nothing in
 * them, and a machine whose power is cut then would never be reached again. So the first boot that is reached writes
 * everything to the disk, and until that is done each boot is a first boot to the guest.
 */

/** Windows is told by its agent who it is, at each boot. */
const isPending = ({ os, seedPending }: MachineRecord): boolean =>
  can[os].takeSeedAgain && seedPending === true;

/** Has a guest that took its seed in this boot write it to its disk, and notes that it did. */
export async function keepSeed(
  entry: Entry,
  live: Live,
  registry: MachineRegistry,
  session: SshSession,
): Promise<void> {
  if (!isPending(entry.record)) return;
  // One that resumed has taken its identity otherwise, and its disk is still a stranger's to cloud-init.
  if (live.handles.way !== "cold") return;
  const { code } = await session.exec("sync", {}, live.watch.signal);
  if (code === 0 && entry.live === live)
    await registry.rewrite(entry, { seedPending: undefined });
}

/** Before a boot: has the guest take its seed once more where an earlier boot may not have kept it. */
export async function seedAgain(
  entry: Entry,
  { layout, registry }: { layout: Layout; registry: MachineRegistry },
): Promise<void> {
  const { record } = entry;
  if (!isPending(record)) return;
  if (record.lastStop.reason === "created") return;
  const instanceId = `guesthouse-${record.id}-${randomBytes(3).toString("hex")}`;
  await rewriteMachineSeed({ ...record, instanceId }, layout);
  await registry.rewrite(entry, { instanceId });
}
