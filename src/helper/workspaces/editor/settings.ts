import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { parseJsonc } from "../devcontainer/jsonc.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import { removeProperty, setProperty } from "./jsonEdits.ts";

/** One setting, or one entry of a setting that is a table: `["remote.portsAttributes", "3000"]`. */
const settingSchema = z.object({
  path: z.array(z.string()).min(1).max(2),
  value: z.unknown(),
});
export const settingsSchema = z.array(settingSchema);
export type Setting = z.infer<typeof settingSchema>;

/** Tables that the file and the user may both have entries in. */
const tables = new Set([
  "remote.portsAttributes",
  "terminal.integrated.env.linux",
]);

/**
 * What a repository may not set: an editor takes settings of its own computer's programs from the machine settings of
 * the guest, too.
 */
const ofTheHost = /^(?:guesthouse|remote\.SSH)(?:\.|$)/i;

/**
 * The machine settings that a file asks for; what `customizations` says goes before what follows from other properties.
 * `refused` names what concerns the host. Pure.
 */
export function settingsOf(
  file: Pick<
    Devcontainer,
    "portsAttributes" | "otherPortsAttributes" | "customizations"
  >,
  remoteEnv: Readonly<Record<string, string | null>>,
): { readonly settings: Setting[]; readonly refused: string[] } {
  const own = Object.entries(file.customizations?.vscode?.settings ?? {});
  const all: [string, unknown][] = [
    ["remote.portsAttributes", file.portsAttributes],
    ["remote.otherPortsAttributes", file.otherPortsAttributes],
    ["terminal.integrated.env.linux", remoteEnv],
    ...own.filter(([name]) => !ofTheHost.test(name)),
  ];
  const settings = new Map<string, Setting>();
  for (const { path, value } of all.flatMap(entriesOf))
    settings.set(JSON.stringify(path), { path, value });
  return {
    settings: [...settings.values()],
    refused: own.map(([name]) => name).filter((name) => ofTheHost.test(name)),
  };
}

function entriesOf([name, value]: [string, unknown]): Setting[] {
  if (value === undefined) return [];
  if (!tables.has(name) || typeof value !== "object" || value === null)
    return [{ path: [name], value }];
  return Object.entries(value).map(([entry, inner]: [string, unknown]) => ({
    path: [name, entry],
    value: inner,
  }));
}

/**
 * Brings the text of a settings file from what we wanted `before` to what is `wanted` now. What somebody else has set,
 * changed or taken out since stays as they want it, and so do comments. Undefined where the text is no JSON. Pure.
 */
export function mergeSettings(
  text: string,
  before: readonly Setting[],
  wanted: readonly Setting[],
): string | undefined {
  let merged = text.trim() === "" ? "{}\n" : text;
  const { error, value: parsed } = parseJsonc(merged);
  // The parser's objects have no prototype, and so would equal no other.
  const value = structuredClone(parsed);
  if (error !== undefined || !isTable(value)) return undefined;
  const keyOf = ({ path }: Setting): string => JSON.stringify(path);
  const known = new Map(before.map((each) => [keyOf(each), each.value]));
  const now = new Map(wanted.map((each) => [keyOf(each), each.value]));
  const put = (path: readonly string[], change: unknown): void => {
    merged =
      change === undefined
        ? removeProperty(merged, path)
        : setProperty(merged, path, change);
  };
  for (const key of new Set([...known.keys(), ...now.keys()])) {
    const path = z.array(z.string()).parse(JSON.parse(key));
    const [name = ""] = path;
    // Undefined is also what an absent setting has, so a setting that we didn't know of counts as ours to make.
    const isOurs = isDeepStrictEqual(valueAt(value, path), known.get(key));
    const isBlocked =
      path.length > 1 && Object.hasOwn(value, name) && !isTable(value[name]);
    if (
      isOurs &&
      !isBlocked &&
      !isDeepStrictEqual(known.get(key), now.get(key))
    )
      put(path, now.get(key));
  }
  // A table goes with its last entry, which was ours.
  const left = structuredClone(parseJsonc(merged).value);
  for (const name of tables)
    if (sizeOf(left, name) === 0 && sizeOf(value, name) !== 0)
      put([name], undefined);
  return merged;
}

/** Entries of a table in the settings; undefined where there is none. */
function sizeOf(settings: unknown, name: string): number | undefined {
  const table = isTable(settings) ? settings[name] : undefined;
  return isTable(table) ? Object.keys(table).length : undefined;
}

function valueAt(root: Table, path: readonly string[]): unknown {
  let value: unknown = root;
  for (const name of path)
    value =
      isTable(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return value;
}

type Table = Readonly<Record<string, unknown>>;
const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);
