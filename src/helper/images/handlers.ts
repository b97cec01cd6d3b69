import type { HandlersOf } from "../../protocol/contract.ts";
import type { imageMethods } from "../../protocol/images.ts";
import type { Images } from "./images.ts";

/** The contract's `images.*` on the images room. */
export function imageHandlers(
  images: Images,
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
    "images.validate": ({ name }, { signal }) => images.validate(name, signal),
    "images.delete": async ({ name }) => ({
      freedBytes: await images.remove(name),
    }),
    "images.cancel": async ({ name }) => ({
      cancelled: await images.cancel(name),
    }),
  };
}
