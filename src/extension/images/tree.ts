import { EventEmitter, type TreeDataProvider, TreeItem, window } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Template } from "../../protocol/templates.ts";
import type { Records } from "../records.ts";
import { byName, tooltipOf, treeItemOf } from "../rows.ts";
import {
  inOrder,
  templateRow,
  templateTooltip,
} from "../snapshots/describeTemplate.ts";
import { templateKey, templateOfKey } from "../snapshots/keys.ts";
import { rowOf } from "./describe.ts";
import { imageTooltip } from "./tooltip.ts";

export const imagesViewId = "guesthouse.images";

/** How often *used 3 min ago* is looked at, and how often the age of one that is being made. */
const idleTickMs = 60_000;
const makingTickMs = 1_000;

/**
 * The *Images* view; its elements are names of images and keys of templates. What is here comes before what could be
 * fetched, and an image's templates are below it.
 */
export function createImagesView(
  images: Records<Image>,
  templates: Records<Template>,
  loaded: () => Promise<void>,
): { dispose(): void } {
  const changes = new EventEmitter<string | undefined>();
  /** The description that each template's row was last drawn with. */
  const drawn = new Map<string, string>();
  const templateAt = (key: string): Template | undefined => {
    const id = templateOfKey(key);
    return id === undefined ? undefined : templates.get(id);
  };

  const provider: TreeDataProvider<string> = {
    onDidChangeTreeData: changes.event,
    async getChildren(element) {
      if (element !== undefined) return templatesOf(element, templates);
      await loaded();
      return rootsOf(images, templates);
    },
    getTreeItem(key) {
      const template = templateAt(key);
      if (template !== undefined) {
        const row = templateRow(template, Date.now());
        drawn.set(template.id, row.description);
        return treeItemOf(key, row);
      }
      const image = images.get(key);
      const below = templatesOf(key, templates).length;
      return image === undefined
        ? new TreeItem(key)
        : treeItemOf(key, rowOf(image), below === 0 ? "nothing" : "unfolded");
    },
    resolveTreeItem(item, key) {
      const template = templateAt(key);
      const image = images.get(key);
      if (template !== undefined)
        item.tooltip = tooltipOf(templateTooltip(template));
      else if (image !== undefined)
        item.tooltip = tooltipOf(imageTooltip(image));
      return item;
    },
  };
  const view = window.createTreeView(imagesViewId, {
    treeDataProvider: provider,
  });

  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    clearTimeout(timer);
    const all = templates.all();
    if (!view.visible || all.length === 0) return;
    const making = all.some(({ state }) => state.kind === "making");
    timer = setTimeout(
      () => {
        for (const template of templates.all())
          if (
            drawn.get(template.id) !==
            templateRow(template, Date.now()).description
          )
            changes.fire(templateKey(template.id));
        tick();
      },
      making ? makingTickMs : idleTickMs,
    );
  };

  let shown = "";
  const redraw = (keys: readonly string[]): void => {
    const structure = structureOf(images, templates);
    if (structure === shown) for (const key of keys) changes.fire(key);
    else changes.fire(undefined);
    shown = structure;
    tick();
  };
  const stops = [
    images.onDidChange(({ changed }) =>
      redraw(changed.map(({ name }) => name)),
    ),
    templates.onDidChange(({ changed, removed }) => {
      for (const { id } of removed) drawn.delete(id);
      redraw(changed.map(({ id }) => templateKey(id)));
    }),
  ];
  const visibility = view.onDidChangeVisibility(tick);
  return {
    dispose() {
      clearTimeout(timer);
      for (const stop of stops) stop();
      visibility.dispose();
      view.dispose();
      changes.dispose();
    },
  };
}

/** The images, and after them the templates whose image is not known any more: what takes room is never hidden. */
function rootsOf(
  images: Records<Image>,
  templates: Records<Template>,
): string[] {
  const orphans = templates
    .all()
    .filter(({ image }) => images.get(image.name) === undefined)
    .toSorted(inOrder);
  return [...orderOf(images), ...orphans.map(({ id }) => templateKey(id))];
}

const templatesOf = (image: string, templates: Records<Template>): string[] =>
  templates
    .all()
    .filter((template) => template.image.name === image)
    .toSorted(inOrder)
    .map(({ id }) => templateKey(id));

const structureOf = (
  images: Records<Image>,
  templates: Records<Template>,
): string =>
  rootsOf(images, templates)
    .map((key) => [key, ...templatesOf(key, templates)].join())
    .join("\n");

const orderOf = (images: Records<Image>): string[] =>
  images
    .all()
    .toSorted((a, b) => rank(a) - rank(b) || byName(a, b))
    .map(({ name }) => name);

const rank = ({ state }: Image): number => (state.kind === "available" ? 1 : 0);
