import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { GivenOptions } from "./options.ts";

/** A feature as far as its place among the others goes. */
export interface OrderNode {
  /** Equal for features of equal content and options, which are one. */
  readonly identity: string;
  /** Without a version; further names are those that it had earlier. */
  readonly names: readonly [string, ...string[]];
  /** `latest`, `1.2`; empty where there is none. */
  readonly tag: string;
  readonly given: GivenOptions;
  /** By name and digest. */
  readonly canonical: string;
  /** Identities of what it can't do without. */
  readonly dependsOn: readonly string[];
  /** Names of what it comes after, if that is installed at all. */
  readonly installsAfter: readonly string[];
}

/**
 * The order to install in, by rounds (specification, "Installation order"): in each, of all whose dependencies are there,
 * those with the highest place in `override`, sorted. Refuses with `workspaces.featureInvalid` where some wait for each
 * other. Pure.
 */
export function installOrder<T extends OrderNode>(
  nodes: readonly T[],
  override: readonly string[] = [],
): T[] {
  const waiting = new Set(nodes);
  const ordered: T[] = [];
  const priority = ({ names }: T): number => {
    const place = override.findIndex((name) => names.includes(name));
    return place === -1 ? 0 : override.length - place;
  };
  const waitsFor = (node: T): T[] =>
    [...waiting].filter(
      (other) =>
        node.dependsOn.includes(other.identity) ||
        // A feature that is installed twice doesn't wait for itself.
        (other.names[0] !== node.names[0] &&
          node.installsAfter.some((name) => other.names.includes(name))),
    );
  while (waiting.size > 0) {
    const round = [...waiting].filter((node) => waitsFor(node).length === 0);
    // Told the same whatever came first out of the network.
    if (round.length === 0)
      throw circle([...waiting].sort(compare), (node) =>
        waitsFor(node).sort(compare),
      );
    const highest = Math.max(...round.map(priority));
    const chosen = round
      .filter((node) => priority(node) === highest)
      .sort(compare);
    for (const node of chosen) waiting.delete(node);
    ordered.push(...chosen);
  }
  return ordered;
}

/** "Round stable sort" of the specification: the same order whatever the order in the file. */
function compare(a: OrderNode, b: OrderNode): number {
  const [keysA, keysB] = [a, b].map(({ given }) => Object.keys(given).sort());
  const valuesOf = ({ given }: OrderNode): string =>
    JSON.stringify(
      Object.keys(given)
        .sort()
        .map((key) => given[key]),
    );
  return (
    byText(a.names[0], b.names[0]) ||
    byAge(a.tag, b.tag) ||
    (keysB?.length ?? 0) - (keysA?.length ?? 0) ||
    byText(JSON.stringify(keysA), JSON.stringify(keysB)) ||
    byText(valuesOf(a), valuesOf(b)) ||
    byText(a.canonical, b.canonical)
  );
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Older versions first, `latest` last. */
function byAge(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "latest") return 1;
  if (b === "latest") return -1;
  const [partsA, partsB] = [a.split("."), b.split(".")];
  for (let i = 0; i < Math.min(partsA.length, partsB.length); i++) {
    const [x, y] = [partsA[i] ?? "", partsB[i] ?? ""];
    const apart =
      /^\d+$/.test(x) && /^\d+$/.test(y) ? Number(x) - Number(y) : byText(x, y);
    if (apart !== 0) return apart;
  }
  return partsA.length - partsB.length;
}

function circle<T extends OrderNode>(
  stuck: readonly T[],
  waitsFor: (node: T) => readonly T[],
): Error {
  const path: T[] = [];
  let node = stuck[0];
  while (node !== undefined && !path.includes(node)) {
    path.push(node);
    [node] = waitsFor(node);
  }
  const loop =
    node === undefined ? path : [...path.slice(path.indexOf(node)), node];
  return refused(
    "workspaces.featureInvalid",
    `The features can't be put into an order, as they wait for each other: ${visible(loop.map(({ names }) => names[0]).join(" → "))}.`,
    {
      remedy:
        "Leave one of them out, or use a version without that dependency (dependsOn, installsAfter).",
    },
  );
}
