import type { Log } from "../../base/log.ts";
import type { Images } from "../images/images.ts";
import { endProcess, waitForExit } from "../qemu/process.ts";
import { removeUnusedLayers } from "../snapshots/layers.ts";
import { unpinHost } from "../ssh/knownHosts.ts";
import type { Layout } from "../store/layout.ts";
import { removeFolder } from "../store/records.ts";
import { mark } from "./roster/bootLog.ts";
import type { Entry } from "./roster/entry.ts";
import type { MachineRegistry } from "./roster/registry.ts";
import { finish } from "./running/supervise.ts";

export interface RemoveDeps {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  readonly images: Images;
  readonly log: Log;
}

/**
 * Deletes a machine with all that hangs on it: process, disk, seed, keys, its lines in our known_hosts. Only its boot
 * log stays (B13). A living guest is ended without grace: nothing of it is kept.
 */
export async function deleteMachine(
  entry: Entry,
  { layout, registry, images, log }: RemoveDeps,
): Promise<void> {
  const { record, live } = entry;
  const files = layout.machine(record.id);
  if (live !== undefined) {
    live.stopReason = "requested";
    registry.enter(entry, { kind: "deleting" });
    await endProcess(live.handles, "SIGKILL");
    await waitForExit(live.handles, 5_000);
    await finish(entry, live, { layout, registry, log }, "requested");
  }
  registry.enter(entry, { kind: "deleting" });
  await removeFolder(files.folder);
  await unpinHost(layout.ssh.knownHosts, record.alias);
  // Not those that forks and branches of it stand on.
  await removeUnusedLayers(layout).catch((error: unknown) => {
    log.warn("layers are left alone", { error });
  });
  await mark(files.log, `deleted ${new Date().toISOString()}`).catch(
    () => undefined,
  );
  registry.remove(entry);
  await images.usersChanged(record.image.digest);
  log.info("machine deleted", { machine: record.id, name: record.name });
}
