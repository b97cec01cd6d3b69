/*
 * Guests that come up in a second, for tests that are not about booting: clones of one warm template, whose shape all
 * test files share, so that it is made once and kept in the cache of `npm test` (GUESTHOUSE_TEMPLATE_CACHE).
 */
import type { Template } from "../../src/protocol/templates.ts";
import type { Household } from "./household.ts";

/** What `create` is given for a clone of it. */
export const shape: readonly string[] = ["--cpus", "1", "--memory", "512M"];
/** The same in a devcontainer.json. */
export const shapeInFile = { memory: "512mb", cpus: 1 } as const;

/** For a house whose templates are made from nothing: tests of the making. */
export const withoutTemplateCache = { GUESTHOUSE_TEMPLATE_CACHE: "" } as const;

/** Brings the image and the template into a house. */
export async function warmUp(house: Household): Promise<Template> {
  await house.json(["image", "pull", "debian-12"]);
  return house.json<Template>(["template", "warm-up", "debian-12", ...shape]);
}

/** The same for the image with a container engine. */
export const engineShape: readonly string[] = [
  ...["--cpus", "2", "--memory", "2G"],
];

/** Brings the image with a container engine and its template into a house. */
export async function warmUpEngine(house: Household): Promise<Template> {
  await house.json(["image", "pull", "containers"]);
  return house.json<Template>([
    ...["template", "warm-up", "containers"],
    ...engineShape,
  ]);
}
