import { given } from "../../base/given.ts";
import type { HandlersOf } from "../../protocol/contract.ts";
import type { imageMethods } from "../../protocol/images.ts";
import type { Images } from "./images.ts";
import { inspectWindowsIso } from "./windows/iso/inspectIso.ts";
import { editionOf } from "./windows/install/plan.ts";

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
    "images.inspectIso": async ({ path }) => {
      const { editions } = await inspectWindowsIso(path);
      return {
        edition: editionOf(editions).index,
        editions: editions
          .filter(({ architecture }) => architecture === "amd64")
          .map(({ index, name, version, languages }) => ({
            index,
            name,
            ...given({ version }),
            languages: [...languages],
          })),
      };
    },
    "images.installWindows": async (wish, { signal }) => {
      const name = await images.installs.install(wish, undefined, signal);
      return { image: await images.show(name) };
    },
    "images.prepareWindows": async (wish, { signal }) => {
      const name = await images.installs.prepare(wish, undefined, signal);
      return { image: await images.show(name) };
    },
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
