/*
 * The *Images* view. It owns the tree and its clock, and shows what the records say, nothing that it keeps itself: the
 * structure it last showed only tells whether rows came or went. `imagesRoom.ts` makes it, once in a window.
 */
import { EventEmitter, type TreeDataProvider, TreeItem, window } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Template } from "../../protocol/templates.ts";
import type { Records } from "../helper/records.ts";
import { imagesViewId } from "../window/viewIds.ts";
import { byName, tooltipOf, treeItemOf } from "../rows/rows.ts";
import { inOrder, templateRow, templateTooltip } from "../rows/template.ts";
import { templateKey, templateOfKey } from "../rows/keys.ts";
import { rowOf } from "../rows/image.ts";
import { createTicker } from "../rows/ticker.ts";
import { imageTooltip } from "./tooltip.ts";

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
  const view = window.createTreeView(imagesViewId, {
    treeDataProvider: {
      onDidChangeTreeData: changes.event,
      async getChildren(element) {
        if (element !== undefined) return templatesOf(element, templates);
        await loaded();
        return rootsOf(images, templates);
      },
      getTreeItem: (key) => itemOf(key, images, templates, drawn),
      resolveTreeItem(item, key) {
        const tooltip = tooltipAt(key, images, templates);
        if (tooltip !== undefined) item.tooltip = tooltipOf(tooltip);
        return item;
      },
    } satisfies TreeDataProvider<string>,
  });

  const ticker = createTicker(
    () => (view.visible ? pauseOf(templates.all()) : undefined),
    () => {
      for (const template of templates.all())
        if (
          drawn.get(template.id) !==
          templateRow(template, Date.now()).description
        )
          changes.fire(templateKey(template.id));
    },
  );

  let shown = "";
  const redraw = (keys: readonly string[]): void => {
    const structure = structureOf(images, templates);
    if (structure === shown) for (const key of keys) changes.fire(key);
    else changes.fire(undefined);
    shown = structure;
    ticker.look();
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
  const visibility = view.onDidChangeVisibility(ticker.look);
  return {
    dispose() {
      ticker.dispose();
      for (const stop of stops) stop();
      visibility.dispose();
      view.dispose();
      changes.dispose();
    },
  };
}

/** Milliseconds until ages are looked at again; undefined when nothing shown has one. */
function pauseOf(templates: readonly Template[]): number | undefined {
  if (templates.length === 0) return undefined;
  return templates.some(({ state }) => state.kind === "making")
    ? makingTickMs
    : idleTickMs;
}

/** Draws a row, and notes how a template's was drawn. */
function itemOf(
  key: string,
  images: Records<Image>,
  templates: Records<Template>,
  drawn: Map<string, string>,
): TreeItem {
  const template = templateAt(key, templates);
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
}

function tooltipAt(
  key: string,
  images: Records<Image>,
  templates: Records<Template>,
): string | undefined {
  const template = templateAt(key, templates);
  if (template !== undefined) return templateTooltip(template);
  const image = images.get(key);
  return image && imageTooltip(image);
}

function templateAt(
  key: string,
  templates: Records<Template>,
): Template | undefined {
  const id = templateOfKey(key);
  return id === undefined ? undefined : templates.get(id);
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
