import { EventEmitter, type TreeDataProvider, TreeItem, window } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Records } from "../records.ts";
import { byName, tooltipOf, treeItemOf } from "../rows.ts";
import { rowOf } from "./describe.ts";
import { imageTooltip } from "./tooltip.ts";

export const imagesViewId = "guesthouse.images";

/** The *Images* view; its elements are names. What is here comes before what could be fetched. */
export function createImagesView(
  images: Records<Image>,
  loaded: () => Promise<void>,
): { dispose(): void } {
  const changes = new EventEmitter<string | undefined>();
  const provider: TreeDataProvider<string> = {
    onDidChangeTreeData: changes.event,
    async getChildren(element) {
      if (element !== undefined) return [];
      await loaded();
      return orderOf(images);
    },
    getTreeItem(name) {
      const image = images.get(name);
      return image === undefined
        ? new TreeItem(name)
        : treeItemOf(name, rowOf(image));
    },
    resolveTreeItem(item, name) {
      const image = images.get(name);
      if (image !== undefined) item.tooltip = tooltipOf(imageTooltip(image));
      return item;
    },
  };
  const view = window.createTreeView(imagesViewId, {
    treeDataProvider: provider,
  });
  let shown = "";
  const stopListening = images.onDidChange(({ changed }) => {
    const order = orderOf(images).join();
    if (order === shown) for (const { name } of changed) changes.fire(name);
    else changes.fire(undefined);
    shown = order;
  });
  return {
    dispose() {
      stopListening();
      view.dispose();
      changes.dispose();
    },
  };
}

const orderOf = (images: Records<Image>): string[] =>
  images
    .all()
    .toSorted((a, b) => rank(a) - rank(b) || byName(a, b))
    .map(({ name }) => name);

const rank = ({ state }: Image): number => (state.kind === "available" ? 1 : 0);
