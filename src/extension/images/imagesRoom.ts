import type { Image } from "../../protocol/images.ts";
import type { Template } from "../../protocol/templates.ts";
import type { Records } from "../helper/records.ts";
import type { Room } from "../window/commandIds.ts";
import { windowsImageCommands } from "./createWindows.ts";
import { imageCommands, type ImageCommandDeps } from "./imageCommands.ts";
import { createImagesView } from "./tree.ts";

export interface ImagesRoomDeps extends ImageCommandDeps {
  readonly images: Records<Image>;
  readonly templates: Records<Template>;
}

/** The *Images* view, and what is done to images. */
export function createImagesRoom(
  deps: ImagesRoomDeps,
): Room<
  | keyof ReturnType<typeof imageCommands>
  | keyof ReturnType<typeof windowsImageCommands>
> {
  const view = createImagesView(deps.images, deps.templates, deps.loaded);
  return {
    commands: { ...imageCommands(deps), ...windowsImageCommands(deps.call) },
    dispose: () => view.dispose(),
  };
}
