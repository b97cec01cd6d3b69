/*
 * The images' room: the store of golden images, what is being made of one now, and which machines stand on it. The
 * registry is told which digest each name means, to flag machines of an older one (B6).
 */
import { chooseAccelerator } from "../../host/accelerator.ts";
import { findTools, requireTool } from "../../host/tools.ts";
import { createImages, type Images } from "../../images/images.ts";
import {
  hostArchitecture,
  qemuArchitecture,
} from "../../machines/boot/environment.ts";
import { type RoomOptions, resourcesFolder } from "./options.ts";
import type { Roster } from "./roster.ts";

export interface ImageRoom {
  readonly images: Images;
  /** Images are being made or fetched. */
  working(): boolean;
}

export async function imageRoom(
  { layout, log, tellAll }: RoomOptions,
  { registry }: Roster,
): Promise<ImageRoom> {
  const architecture = hostArchitecture();
  const working = new Set<string>();
  const images = await createImages({
    layout,
    resources: resourcesFolder,
    architecture,
    log,
    usedBy: (digest) => registry.usersOf(digest),
    accelerator: async (signal) => {
      const arch = qemuArchitecture(architecture);
      const { path } = requireTool(await findTools(arch, signal), "qemuSystem");
      return chooseAccelerator(
        { binary: path, arch, cachePath: layout.accelerator, log },
        signal,
      );
    },
    onChanged: (image) => {
      if (image.state.kind === "working") working.add(image.name);
      else working.delete(image.name);
      registry.imageChanged(image.name, image.digest);
      tellAll("images.changed", { image });
    },
    onRemoved: (name, revision) => {
      working.delete(name);
      registry.imageChanged(name, undefined);
      tellAll("images.removed", { name, revision });
    },
  });
  for (const { name, digest } of await images.list())
    registry.imageChanged(name, digest);
  return { images, working: () => working.size > 0 };
}
