import { createHash } from "node:crypto";
import { posix } from "node:path";
import { visible } from "../../../base/visible.ts";
import type { FetchedFeature, FetchFeature } from "./fetch.ts";
import { type LockEntry, lockKey, type Pins } from "./lock.ts";
import { invalidFeature } from "./metadata.ts";
import { givenOptions, resolveOptions } from "./options.ts";
import { installOrder, type OrderNode } from "./order.ts";
import { type FeatureReference, nameOf, parseReference } from "./reference.ts";

/** A feature of a folder, in its place: what is to be installed, and how. */
export interface ResolvedFeature extends FetchedFeature, OrderNode {
  /** As the file, or the feature that needs it, writes it; safe to show. */
  readonly reference: string;
  /** What it is installed with: variable → value. */
  readonly variables: Readonly<Record<string, string>>;
  /** Digest of content and options, as hex: what a guest remembers it by. */
  readonly identity: string;
}

export interface Resolution {
  /** In the order in which they are installed. */
  readonly features: readonly ResolvedFeature[];
  /** Plain sentences for the log. */
  readonly notes: readonly string[];
  /** Of each reference that can be pinned. */
  readonly lock: ReadonlyMap<string, LockEntry>;
}

export const noFeatures: Resolution = {
  features: [],
  notes: [],
  lock: new Map(),
};

/** Nobody means more; a circle through versions would have no end. */
const mostFeatures = 100;

/** What a search for features has come to. */
interface Search {
  readonly pins: Pins;
  readonly fetch: FetchFeature;
  /** By identity. */
  readonly known: Map<string, Known>;
  readonly lock: Map<string, LockEntry>;
  readonly notes: Set<string>;
  /** By reference: each is asked for once. */
  readonly fetching: Map<string, Promise<FetchedFeature>>;
}

type Known = ResolvedFeature & { readonly dependsOn: string[] };

/**
 * Finds the features of a file and all that they need, each once, and puts them in order. Equal content with equal options
 * is one feature. Refuses with `workspaces.featureInvalid`; throws what `fetch` throws.
 */
export async function resolveFeatures(
  wanted: Readonly<Record<string, unknown>>,
  override: readonly string[],
  pins: Pins,
  fetch: FetchFeature,
): Promise<Resolution> {
  const search: Search = {
    pins,
    fetch,
    known: new Map(),
    lock: new Map(),
    notes: new Set(),
    fetching: new Map(),
  };
  await findAll(wanted, search);
  const { known, lock, notes } = search;
  const names = new Set([...known.values()].flatMap((node) => node.names));
  const places = override.map(withoutVersion);
  for (const name of places)
    if (!names.has(name))
      notes.add(
        visible(
          `overrideFeatureInstallOrder names ${name}, which is not installed.`,
        ),
      );
  return {
    features: installOrder([...known.values()], places),
    notes: [...notes].sort(),
    lock,
  };
}

/** Answers with the identities of what was asked for. */
const findAll = (
  features: Readonly<Record<string, unknown>>,
  search: Search,
): Promise<string[]> =>
  Promise.all(
    Object.entries(features).map(([text, value]) =>
      findOne(text, value, search),
    ),
  );

async function findOne(
  text: string,
  value: unknown,
  search: Search,
): Promise<string> {
  const { known, lock, notes } = search;
  const reference = parseReference(text);
  const given = givenOptions(text, value);
  const fetched = await fetchOnce(text, reference, search);
  const { variables, unknown } = resolveOptions(text, fetched.metadata, given);
  const { dependsOn = {}, installsAfter = [] } = fetched.metadata;
  // Two references may stand for one feature: each has its pin.
  if (reference.kind !== "local")
    lock.set(text, {
      version: fetched.metadata.version,
      resolved: fetched.canonical,
      integrity: fetched.digest,
      dependsOn: Object.keys(dependsOn),
    });
  const identity = identityOf(reference, fetched, variables);
  if (known.has(identity)) return identity;
  if (known.size >= mostFeatures)
    throw invalidFeature(
      text,
      `it is one of more than ${String(mostFeatures)}`,
      "Ask for fewer features.",
    );
  for (const each of [
    ...unknown.map((name) => `has no option “${name}”`),
    ...remarks(reference, fetched),
  ])
    notes.add(visible(`Feature ${text}: ${each}.`));
  const node: Known = {
    ...fetched,
    reference: visible(text),
    identity,
    variables,
    given,
    names: namesOf(reference, fetched),
    tag: reference.kind === "registry" ? reference.tag : "",
    installsAfter: installsAfter.map(withoutVersion),
    dependsOn: [],
  };
  // Known before those it needs are looked for, as one of them may need it.
  known.set(identity, node);
  node.dependsOn.push(...(await findAll(dependsOn, search)));
  return identity;
}

function fetchOnce(
  text: string,
  reference: FeatureReference,
  { fetching, pins, fetch }: Search,
): Promise<FetchedFeature> {
  const under = fetching.get(text);
  if (under !== undefined) return under;
  const pin = reference.kind === "local" ? undefined : pins.get(lockKey(text));
  const begun = fetch(reference, pin);
  fetching.set(text, begun);
  return begun;
}

/**
 * A key of everything that features put into a VM: those with the same key have the same installed, in the same order,
 * with the same options. Independent of where they were fetched from. Pure.
 */
export const featuresKey = (
  features: readonly Pick<ResolvedFeature, "digest" | "variables">[],
): string =>
  createHash("sha256")
    .update(
      JSON.stringify(
        features.map(({ digest, variables }) => [digest, sorted(variables)]),
      ),
    )
    .digest("hex");

const sorted = (variables: Readonly<Record<string, string>>): unknown =>
  Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1));

/** Two folders with the same files are two features (specification, "Feature equality"). */
const identityOf = (
  reference: FeatureReference,
  { digest }: FetchedFeature,
  variables: Readonly<Record<string, string>>,
): string =>
  createHash("sha256")
    .update(
      JSON.stringify([
        reference.kind === "local" ? nameOf(reference) : "",
        digest,
        sorted(variables),
      ]),
    )
    .digest("hex")
    .slice(0, 32);

/** Its name, and those by which it went before it was renamed. */
function namesOf(
  reference: FeatureReference,
  { metadata: { id, legacyIds = [] } }: FetchedFeature,
): [string, ...string[]] {
  const name = nameOf(reference);
  const around = posix.dirname(name);
  if (reference.kind === "local") return [name, id];
  return reference.kind === "tarball"
    ? [name]
    : [
        name,
        ...[id, ...legacyIds].map((each) => `${around}/${each.toLowerCase()}`),
      ];
}

/** Names in `installsAfter` and the like have no version; where one has, it says nothing. */
function withoutVersion(name: string): string {
  if (!name.includes("/")) return name;
  try {
    return nameOf(parseReference(name));
  } catch {
    return name;
  }
}

/** What a feature asks for that a VM doesn't give, or that its user should know. */
function remarks(
  reference: FeatureReference,
  { metadata }: FetchedFeature,
): string[] {
  const { id, deprecated, entrypoint, mounts = [] } = metadata;
  return [
    ...(deprecated === true ? ["is deprecated by those who make it"] : []),
    ...(reference.kind === "local" && posix.basename(reference.path) !== id
      ? [`calls itself “${id}”, which should be the name of its folder`]
      : []),
    ...(entrypoint === undefined
      ? []
      : [
          "has an entrypoint, which a VM does not run: what shall run at each start is a service of systemd there",
        ]),
    ...(mounts.length === 0
      ? []
      : ["has mounts, which are not made: a VM's disk is its own and stays"]),
  ];
}
