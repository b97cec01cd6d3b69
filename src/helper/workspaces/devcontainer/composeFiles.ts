/*
 * What Compose files say of this computer: variables that they take from its environment, paths of it that containers want to
 * see, networks and volumes that they expect to be there, and whether they want to reach it. Compose itself reads them in the
 * VM, where none of that means the same. Read loosely: what can't be read here, Compose tells of there. Called by `read.ts`;
 * `container/` makes something of it.
 */
import { join, posix } from "node:path";
import { parseDocument } from "yaml";
import * as z from "zod";
import { readInside } from "./readInside.ts";

export interface ComposeFacts {
  /** Names of environment variables, in order, each once. */
  readonly variables: readonly string[];
  readonly binds: readonly ComposeBind[];
  /** Names of what Compose doesn't make: variables stand in them still. */
  readonly externalNetworks: readonly string[];
  readonly externalVolumes: readonly string[];
  /** An `extra_hosts` entry with Docker's `host-gateway`. */
  readonly usesHostGateway: boolean;
}

/** A bind mount: variables stand in it still. */
export interface ComposeBind {
  readonly service: string;
  readonly source: string;
  /** Below the workspace's folder, where a relative source begins. */
  readonly base: string;
  readonly target: string;
  readonly readOnly: boolean;
}

const volumeSchema = z.union([
  z.string(),
  z.looseObject({
    type: z.string().optional(),
    source: z.string().optional(),
    target: z.string(),
    read_only: z.boolean().optional(),
  }),
]);
const entriesSchema = z
  .union([z.array(z.unknown()), z.record(z.string(), z.unknown())])
  .optional()
  .catch(undefined);
const serviceSchema = z.looseObject({
  volumes: z.array(volumeSchema.catch("")).optional().catch(undefined),
  environment: entriesSchema,
  extra_hosts: entriesSchema,
});
/** A network or a volume. */
const resourceSchema = z.looseObject({
  name: z.string().optional(),
  external: z.union([z.boolean(), z.object({ name: z.string() })]).optional(),
});
const resourcesSchema = z
  .record(z.string(), resourceSchema.nullable().catch(null))
  .optional()
  .catch(undefined);
const fileSchema = z.looseObject({
  networks: resourcesSchema,
  volumes: resourcesSchema,
  services: z
    .record(z.string(), serviceSchema.nullable().catch(null))
    .optional()
    .catch(undefined),
});

/** Facts of the files that a configuration names, below `folder`; `configFolder` is where the configuration lies. */
export async function readComposeFiles(
  named: string | readonly string[],
  folder: string,
  configFolder: string,
): Promise<ComposeFacts> {
  const texts = await Promise.all(
    [named]
      .flat()
      .map((path) => readInside(folder, join(folder, configFolder, path))),
  );
  const [first = ""] = [named].flat();
  return composeFacts(
    texts,
    posix.join(forwardSlashes(configFolder), posix.dirname(first)),
  );
}

const forwardSlashes = (path: string): string => path.replaceAll("\\", "/");

/** `base` is the project's directory, from the workspace's folder: that of the first file. Pure. */
export function composeFacts(
  texts: readonly string[],
  base = ".",
): ComposeFacts {
  const variables = new Set<string>();
  const externalNetworks = new Set<string>();
  const externalVolumes = new Set<string>();
  const binds: ComposeBind[] = [];
  let usesHostGateway = false;
  for (const text of texts) {
    for (const name of variablesIn(text)) variables.add(name);
    const { services, networks, volumes } = partsOf(text);
    for (const name of externalIn(networks)) externalNetworks.add(name);
    for (const name of externalIn(volumes)) externalVolumes.add(name);
    for (const [service, of] of Object.entries(services ?? {})) {
      if (of === null) continue;
      for (const name of passedOn(of.environment)) variables.add(name);
      binds.push(
        ...(of.volumes ?? [])
          .flatMap((volume) => bindOf(volume))
          .map((bind) => ({ service, base, ...bind })),
      );
      usesHostGateway ||= entries(of.extra_hosts).some(([, value]) =>
        /host-gateway$/.test(value ?? ""),
      );
    }
  }
  if (binds.some(({ source }) => source.includes("~"))) variables.add("HOME");
  return {
    variables: [...variables],
    binds,
    externalNetworks: [...externalNetworks],
    externalVolumes: [...externalVolumes],
    usesHostGateway,
  };
}

type Service = z.output<typeof serviceSchema>;

const externalIn = (of: z.output<typeof resourcesSchema>): string[] =>
  Object.entries(of ?? {}).flatMap(([key, resource]) => {
    const { external, name } = resource ?? {};
    if (external === undefined || external === false) return [];
    return [(typeof external === "object" ? external.name : name) ?? key];
  });

function partsOf(text: string): z.output<typeof fileSchema> {
  // Its own bound on aliases keeps a file of a few lines from becoming gigabytes; that it throws.
  let value: unknown;
  try {
    value = parseDocument(text, { merge: true, logLevel: "silent" }).toJS();
  } catch {
    return {};
  }
  return fileSchema.catch({}).parse(value);
}

/** `$NAME`, `${NAME}`, `${NAME:-default}` and the like; two dollars are one that is meant. */
const variable = /\$(?:\$|\{([A-Za-z_]\w*)|([A-Za-z_]\w*))/g;

function variablesIn(text: string): string[] {
  const lines = text.split("\n").filter((line) => !/^\s*#/.test(line));
  return [...lines.join("\n").matchAll(variable)].flatMap(
    ([, braced, plain]) => braced ?? plain ?? [],
  );
}

/** `["A=1", "B"]` and `{A: 1, B: null}` as pairs; one without a value has none. */
const entries = (
  of: Service["environment"],
): (readonly [string, string | undefined])[] =>
  (Array.isArray(of)
    ? of.map((entry) => split(typeof entry === "string" ? entry : ""))
    : Object.entries(of ?? {}).map(
        ([name, value]) => [name, textOf(value)] as const,
      )
  ).filter(([name]) => name !== "");

function split(entry: string): readonly [string, string | undefined] {
  const [, name = "", value] = /^([^=:]*)(?:[=:](.*))?$/s.exec(entry) ?? [];
  return [name, value];
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ||
  typeof value === "number" ||
  typeof value === "boolean"
    ? String(value)
    : undefined;

/** A variable without a value is the environment's. */
const passedOn = (environment: Service["environment"]): string[] =>
  entries(environment).flatMap(([name, value]) =>
    value === undefined && /^[A-Za-z_]\w*$/.test(name) ? [name] : [],
  );

function bindOf(
  volume: z.output<typeof volumeSchema>,
): Omit<ComposeBind, "service" | "base">[] {
  if (typeof volume !== "string") {
    const { type, source = "", target, read_only: readOnly = false } = volume;
    return (type ?? "bind") === "bind" && isHostPath(source)
      ? [{ source, target, readOnly }]
      : [];
  }
  // Colons stand in `${A:-b}`, too.
  const parts = volume.match(/(?:\$\{[^}]*\}|[^:])+/g) ?? [];
  const [source = "", target, options = ""] = parts;
  return target !== undefined && isHostPath(source)
    ? [
        {
          source,
          target,
          readOnly: options.split(",").includes("ro"),
        },
      ]
    : [];
}

/** What may lead out of the folder, once its variables are filled in; the rest is a volume's name. */
const isHostPath = (source: string): boolean => /^[/~$.]/.test(source);

/**
 * A text with variables filled in as Compose does: `${NAME-default}`, `${NAME:-default}`, `${NAME:+other}`; what isn't set is
 * empty. A home folder's `~` is `HOME`. Pure.
 */
export function interpolate(text: string, values: Values): string {
  const filled = fill(text, values);
  return filled.replace(/^~(?=\/|$)/, values["HOME"] ?? "~");
}

type Values = Readonly<Record<string, string | undefined>>;

const reference = /^\$(?:(\$)|\{([A-Za-z_]\w*)(:?[-+?])?|([A-Za-z_]\w*))/;

function fill(text: string, values: Values): string {
  const at = text.indexOf("$");
  if (at < 0) return text;
  const [whole = "$", dollar, braced, operator, plain] =
    reference.exec(text.slice(at)) ?? [];
  const from = at + whole.length;
  if (braced === undefined) {
    const value = dollar ?? (plain === undefined ? "$" : (values[plain] ?? ""));
    return text.slice(0, at) + value + fill(text.slice(from), values);
  }
  const end = closing(text, from);
  const word = fill(text.slice(from, end), values);
  return (
    text.slice(0, at) +
    chosen(values[braced], operator, word) +
    fill(text.slice(end + 1), values)
  );
}

/** Where the brace that is open at `from` is closed. */
function closing(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith("${", at)) depth++;
    if (text[at] === "}" && --depth === 0) return at;
  }
  return text.length;
}

function chosen(
  value: string | undefined,
  operator: string | undefined,
  word: string,
): string {
  const isSet =
    value !== undefined &&
    !(operator?.startsWith(":") === true && value === "");
  if (operator?.endsWith("+") === true) return isSet ? word : "";
  if (operator?.endsWith("-") === true) return isSet ? value : word;
  return value ?? "";
}
