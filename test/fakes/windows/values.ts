/*
 * PowerShell's values and what its language does with them by itself: text, truth, comparison, members, JSON. `undefined` is
 * what a pipeline without output gives, `null` is `$null`; both are told apart only where a list is made of them.
 */
import { NotPlayed, type Script } from "./tree.ts";

/** A failure as a script sees it: one that it may catch. */
export class Failure extends Error {}

/** A hash table, or variables of an environment: its names know no case. */
export class Table extends Map<string, unknown> {
  override get(name: string): unknown {
    return super.get(nameIn(this.keys(), name));
  }
  override set(name: string, value: unknown): this {
    return super.set(nameIn(this.keys(), name), value);
  }
  override has(name: string): boolean {
    return super.has(nameIn(this.keys(), name));
  }
  override delete(name: string): boolean {
    return super.delete(nameIn(this.keys(), name));
  }
}

export const tableOf = (values: Readonly<Record<string, unknown>>): Table => {
  const table = new Table();
  for (const [name, value] of Object.entries(values)) table.set(name, value);
  return table;
};

const nameIn = (names: Iterable<string>, name: string): string => {
  for (const each of names) if (same(each, name)) return each;
  return name;
};

export const same = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase();

/** A block of a script, to be run by whoever gets it. */
export class ScriptBlock {
  readonly script: Script;
  constructor(script: Script) {
    this.script = script;
  }
}

export const isNothing = (value: unknown): value is null | undefined =>
  value === null || value === undefined;

export type Bag = Record<string, unknown>;
export const isBag = (value: unknown): value is Bag =>
  typeof value === "object" &&
  value !== null &&
  Object.getPrototypeOf(value) === Object.prototype;

const closed = new WeakSet<object>();

/** Something of the guest: a script that asks it for more than is known of it is no script for the stand-in. */
export const thing = <T extends Bag>(properties: T): T => {
  closed.add(properties);
  return properties;
};

export function textOf(value: unknown): string {
  if (isNothing(value)) return "";
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number" || typeof value === "bigint")
    return String(value);
  if (Array.isArray(value)) return value.map(textOf).join(" ");
  if (value instanceof Table) return "System.Collections.Hashtable";
  if (isBag(value)) {
    if (typeof value["Value"] === "string") return value["Value"];
    if (isBag(value["Exception"])) return textOf(value["Exception"]["Message"]);
    return `@{${Object.entries(value)
      .map(([name, each]) => `${name}=${textOf(each)}`)
      .join("; ")}}`;
  }
  throw new NotPlayed("can't say that as text");
}

export function isTrue(value: unknown): boolean {
  if (Array.isArray(value))
    return value.length === 1 ? isTrue(value[0]) : value.length > 1;
  return !isNothing(value) && value !== "" && value !== 0 && value !== false;
}

export function numberOf(value: unknown): number {
  if (isNothing(value)) return 0;
  const number = Number(typeof value === "string" ? value.trim() : value);
  if (Number.isNaN(number))
    throw new Failure(`Cannot convert value "${textOf(value)}" to a number.`);
  return number;
}

/** The right side is taken for what the left side is. */
function equal(left: unknown, right: unknown): boolean {
  if (isNothing(left) || isNothing(right))
    return isNothing(left) && isNothing(right);
  if (typeof left === "boolean") return left === isTrue(right);
  if (typeof left === "number") return left === Number(textOf(right));
  return same(textOf(left), textOf(right));
}

const wildcard = (pattern: unknown): RegExp =>
  new RegExp(
    `^${textOf(pattern)
      .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "is",
  );

export const like = (value: unknown, pattern: unknown): boolean =>
  wildcard(pattern).test(textOf(value));

const order = (left: unknown, right: unknown): number =>
  typeof left === "number"
    ? left - numberOf(right)
    : textOf(left).localeCompare(textOf(right));

type Comparison = (left: unknown, right: unknown) => boolean;
/** Those that a list on the left makes a filter. */
const filters: Readonly<Record<string, Comparison>> = {
  "-eq": equal,
  "-ne": (left, right) => !equal(left, right),
  "-gt": (left, right) => order(left, right) > 0,
  "-ge": (left, right) => order(left, right) >= 0,
  "-lt": (left, right) => order(left, right) < 0,
  "-le": (left, right) => order(left, right) <= 0,
  "-like": like,
  "-notlike": (left, right) => !like(left, right),
  "-match": (left, right) => new RegExp(textOf(right), "i").test(textOf(left)),
  "-notmatch": (left, right) =>
    !new RegExp(textOf(right), "i").test(textOf(left)),
};

const isIn = (value: unknown, list: unknown): boolean =>
  listOf(list).some((each) => equal(each, value));

/** What `@( )` makes of a value. */
export const listOf = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

type Operator = (left: unknown, right: unknown) => unknown;
const operators: Readonly<Record<string, Operator>> = {
  "-contains": (left, right) => isIn(right, left),
  "-notcontains": (left, right) => !isIn(right, left),
  "-in": isIn,
  "-notin": (left, right) => !isIn(left, right),
  "-join": (left, right) => listOf(left).map(textOf).join(textOf(right)),
  "-f": (left, right) =>
    textOf(left).replaceAll(/\{(\d+)\}/g, (_, at: string) =>
      textOf(listOf(right)[Number(at)]),
    ),
  "+": (left, right) => {
    if (isNothing(left)) return right;
    if (Array.isArray(left)) return [...(left as unknown[]), ...listOf(right)];
    if (typeof left === "string") return left + textOf(right);
    if (typeof left === "number") return left + numberOf(right);
    // The same with PowerShell: objects can't be added to.
    throw new Failure(
      "Method invocation failed: no method named 'op_Addition'.",
    );
  },
  "-": (left, right) => numberOf(left) - numberOf(right),
  "*": (left, right) => numberOf(left) * numberOf(right),
  "/": (left, right) => numberOf(left) / numberOf(right),
  "%": (left, right) => numberOf(left) % numberOf(right),
};

export function operate(
  operator: string,
  left: unknown,
  right: unknown,
): unknown {
  const filter = filters[operator];
  if (filter !== undefined)
    return Array.isArray(left)
      ? left.filter((each) => filter(each, right))
      : filter(left, right);
  const work = operators[operator];
  if (work === undefined) throw new NotPlayed(`knows no operator ${operator}`);
  return work(left, right);
}

/** A .NET format of a date, in the guest's own time (which is UTC). */
const dateText = (date: Date, format: string): string => {
  const iso = date.toISOString();
  if (format === "o") return iso.replace("Z", "0000Z");
  const [year = "", month = "", day = "", hour = "", minute = ""] =
    iso.split(/\D/);
  if (format === "yyyyMMddHHmm") return year + month + day + hour + minute;
  throw new NotPlayed(`knows no format “${format}” of dates`);
};

type Method = (...args: never[]) => unknown;
const ofDate = (date: Date): Readonly<Record<string, Method>> => ({
  touniversaltime: () => date,
  tostring: (format: string) => dateText(date, format),
});
const ofText = (text: string): Readonly<Record<string, Method>> => ({
  replace: (from: string, to: string) => text.replaceAll(from, to),
  split: (by: string) => text.split(by),
  substring: (from: number, length?: number) =>
    text.slice(from, length === undefined ? undefined : from + length),
  tolowerinvariant: () => text.toLowerCase(),
  toupperinvariant: () => text.toUpperCase(),
  trim: (sign?: string) =>
    sign === undefined
      ? text.trim()
      : text.replaceAll(new RegExp(`^[${sign}]+|[${sign}]+$`, "g"), ""),
  startswith: (start: string) => text.startsWith(start),
  endswith: (end: string) => text.endsWith(end),
  tostring: () => text,
});

/** A property, or a method to be called. `undefined`: there is none, which for a property is `$null`. */
export function memberOf(of: unknown, name: string): unknown {
  const lower = name.toLowerCase();
  if (of instanceof Table && of.has(name)) return of.get(name);
  if (isBag(of)) {
    const key = nameIn(Object.keys(of), name);
    if (key in of) return of[key];
    if (closed.has(of) && lower !== "count")
      throw new NotPlayed(
        `knows no “${name}” of {${Object.keys(of).join(", ")}}`,
      );
  }
  if (of instanceof Date) return ofDate(of)[lower];
  if (lower === "count" || lower === "length") {
    if (of instanceof Table) return of.size;
    if (Array.isArray(of) || Buffer.isBuffer(of)) return of.length;
    if (lower === "length") return typeof of === "string" ? of.length : 1;
    return isNothing(of) ? 0 : 1;
  }
  if (typeof of === "string") return ofText(of)[lower];
  if (Array.isArray(of)) {
    if (lower === "add")
      return (value: unknown) => (of as unknown[]).push(value) - 1;
    const found = (of as unknown[])
      .map((each) => memberOf(each, name))
      .filter((each) => each !== undefined);
    return found.length > 1 ? found : found[0];
  }
  return undefined;
}

/** Below its depth PowerShell writes objects as their text. */
export function toJson(
  value: unknown,
  depth: number,
  compress: boolean,
): string {
  const plain = (each: unknown, left: number): unknown => {
    if (isNothing(each)) return null;
    if (typeof each !== "object") return each;
    if (each instanceof Date) return `/Date(${String(each.getTime())})/`;
    if (left < 0) return textOf(each);
    if (Array.isArray(each)) return each.map((one) => plain(one, left - 1));
    const entries =
      each instanceof Table
        ? [...each]
        : isBag(each)
          ? Object.entries(each)
          : undefined;
    if (entries === undefined) throw new NotPlayed("can't write that as JSON");
    return Object.fromEntries(
      entries.map(([name, one]) => [name, plain(one, left - 1)]),
    );
  };
  return JSON.stringify(plain(value, depth), undefined, compress ? 0 : 4);
}

export function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Failure("Invalid JSON primitive.");
  }
}
