import { type QuickPickItem, window } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Records } from "../helper/records.ts";
import { byName } from "../rows/rows.ts";
import { rowOf } from "../rows/image.ts";

/** Asks for an image; undefined when the user picks none. */
export async function chooseImage(
  images: Records<Image>,
  title: string,
  fits: (image: Image) => boolean = () => true,
): Promise<Image | undefined> {
  const items = images
    .all()
    .filter(fits)
    .toSorted(byName)
    .map((image): QuickPickItem & { image: Image } => ({
      label: image.title,
      description: rowOf(image).description,
      detail: image.name,
      image,
    }));
  const picked = await window.showQuickPick(items, {
    title,
    matchOnDetail: true,
  });
  return picked?.image;
}
