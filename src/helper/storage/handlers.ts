import type { HandlersOf } from "../../protocol/contract.ts";
import type { storageMethods } from "../../protocol/storage.ts";
import { reclaim, storageItems, type StorageFacts } from "./storage.ts";
import type { Layout } from "../store/layout.ts";
import type { MachineRegistry } from "../machines/roster/registry.ts";

export interface StorageHandlerDeps extends Pick<
  StorageFacts,
  "imagesWorking" | "removeTemplate" | "removeImage" | "pooled"
> {
  readonly layout: Layout;
  readonly registry: MachineRegistry;
  /** Names that mean this image. */
  readonly imageNames: (digest: string) => readonly string[];
  /** Why images may go that nothing stands on, by digest. */
  readonly staleImages: () => Promise<ReadonlyMap<string, string>>;
}

/** The contract's `storage.*`. */
export function storageHandlers(
  deps: StorageHandlerDeps,
): HandlersOf<keyof typeof storageMethods> {
  const { layout, registry } = deps;
  const survey = async (): Promise<StorageFacts> => {
    const stale = await deps.staleImages();
    return {
      ...facts,
      image: (digest) => ({
        ...facts.image(digest),
        stale: stale.get(digest),
      }),
    };
  };
  const facts: StorageFacts = {
    image: (digest) => ({
      names: deps.imageNames(digest),
      users: registry.usersOf(digest),
    }),
    removeImage: deps.removeImage,
    imagesWorking: deps.imagesWorking,
    machineKnown: (id) =>
      deps.pooled(id) !== undefined ||
      registry.entries().some(({ record }) => record.id === id),
    pooled: deps.pooled,
    alone: (id, work) => registry.locks.run(id, work),
    removeTemplate: deps.removeTemplate,
  };
  const sum = (items: readonly { readonly bytes: number }[]): number =>
    items.reduce((total, { bytes }) => total + bytes, 0);
  return {
    "storage.usage": async () => {
      const items = await storageItems(layout, await survey());
      return {
        items,
        totalBytes: sum(items),
        reclaimableBytes: sum(items.filter(({ reclaimable }) => reclaimable)),
      };
    },
    "storage.reclaim": async ({ dryRun }, { signal }) => {
      const now = await survey();
      if (dryRun !== true) return reclaim(layout, now, signal);
      const removed = (await storageItems(layout, now)).filter(
        ({ reclaimable }) => reclaimable,
      );
      return { removed, freedBytes: sum(removed) };
    },
  };
}
