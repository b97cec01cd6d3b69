import type { HandlersOf } from "../../protocol/contract.ts";
import type { imageMethods } from "../../protocol/images.ts";
import type { Images } from "./images.ts";

/** The contract's `images.*` on the images room. `onDeleted` removes what was made of an image that is gone. */
export function imageHandlers(
  images: Images,
  onDeleted: () => Promise<void>,
): HandlersOf<keyof typeof imageMethods> {
  return {
    "images.list": async () => ({ images: await images.list() }),
    "images.pull": async ({ name, ...options }, { signal }) => {
      await images.obtain(name, options, undefined, signal);
      return { image: await images.show(name) };
    },
    "images.import": async (options, { signal }) => ({
      image: await images.importFile(options, signal),
    }),
    "images.export": async ({ name, path }, { signal }) => ({
      path,
      sizeBytes: await images.exportFile(name, path, signal),
    }),
    "images.validate": ({ name }, { signal }) => images.validate(name, signal),
    "images.delete": async ({ name }) => {
      const freedBytes = await images.remove(name);
      await onDeleted();
      return { freedBytes };
    },
    "images.cancel": async ({ name }) => ({
      cancelled: await images.cancel(name),
    }),
  };
}
