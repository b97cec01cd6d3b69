import type { HandlersOf } from "../../../protocol/contract.ts";
import type { templateMethods } from "../../../protocol/templates.ts";
import type { Images } from "../../images/images.ts";
import type { Templates } from "../../snapshots/templates.ts";
import { shapeFor } from "../roster/shape.ts";
import type { Warm } from "./warm.ts";

export interface TemplateHandlerDeps {
  readonly images: Images;
  readonly templates: Templates;
  readonly warm: Warm;
  /** Counts again what clones of each template take. */
  readonly measure: () => Promise<void>;
}

/** The contract's `templates.*`. */
export function templateHandlers({
  images,
  templates,
  warm,
  measure,
}: TemplateHandlerDeps): HandlersOf<keyof typeof templateMethods> {
  return {
    "templates.list": async () => {
      await measure();
      return { templates: templates.list() };
    },
    "templates.warmUp": async ({ image: name, ...wanted }, { signal }) => {
      const image = await images.obtain(name, {}, undefined, signal);
      const shape = shapeFor(wanted, image);
      return { template: await warm.warmUp(shape, image, signal) };
    },
    "templates.delete": async ({ id }) => ({
      freedBytes: await templates.remove(id),
    }),
  };
}
