import { discardPartials } from "./catalog/make.ts";
import { requireUnused } from "./catalog/requireUnused.ts";
import type { ImagesRoom } from "./room.ts";

/** Refuses with `images.inUse`, naming the machines, and `images.busy`; answers with the bytes freed. */
export async function removeImage(
  { layout, ledger, installs, maker: { store } }: ImagesRoom,
  name: string,
): Promise<number> {
  requireUnused(name, ledger);
  const digests = ledger.digestsOf(name);
  return ledger.whileLeaving(digests, async () => {
    const hadInstall = await installs.forget(name);
    const hadFailed = ledger.setFailure(name, undefined) || hadInstall;
    const hadPartial = await discardPartials(layout, name);
    if (digests.length === 0 && !hadFailed && !hadPartial)
      throw ledger.missing(name);
    await store.forgetName(name);
    let freedBytes = 0;
    for (const digest of digests) freedBytes += await store.drop(digest);
    ledger.tell(name);
    return freedBytes;
  });
}
