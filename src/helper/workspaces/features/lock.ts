import { posix } from "node:path";
import * as z from "zod";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import { parseJsonc } from "../devcontainer/jsonc.ts";
import { nameOf, parseReference } from "./reference.ts";

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const lockSchema = z.looseObject({
  features: z
    .record(
      z.string(),
      z.looseObject({
        version: z.string().optional(),
        resolved: z.string(),
        integrity: digestSchema,
        dependsOn: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});

/** Reference, in lower case → digest of what it stands for: of a registry's manifest, of an archive. */
export type Pins = ReadonlyMap<string, string>;

export const lockKey = (reference: string): string => reference.toLowerCase();

/** Where a configuration's lockfile lies, relative to the folder. Pure. */
export const lockPath = (configPath: string): string =>
  posix.join(
    posix.dirname(configPath),
    posix.basename(configPath).startsWith(".")
      ? ".devcontainer-lock.json"
      : "devcontainer-lock.json",
  );

/**
 * Reads a lockfile. Refuses with `workspaces.featureInvalid` what is none, and an entry that leads to another feature
 * than it is for. Pure.
 */
export function parseLock(text: string, path: string): Pins {
  const { value, error } = parseJsonc(text);
  const checked = lockSchema.safeParse(value);
  if (error !== undefined || !checked.success)
    throw badLock(path, error ?? checked.error?.issues[0]?.message ?? "wrong");
  return new Map(
    Object.entries(checked.data.features ?? {}).map(
      ([reference, { resolved, integrity }]) => {
        const [from, to] = [reference, resolved].map((each) =>
          parseReference(each),
        );
        if (
          from === undefined ||
          to === undefined ||
          nameOf(from) !== nameOf(to) ||
          (to.kind === "registry" && to.digest !== integrity)
        )
          throw badLock(
            path,
            `“${reference}” is to be “${resolved}” with the digest ${integrity}`,
          );
        return [lockKey(reference), integrity];
      },
    ),
  );
}

/** What goes into a lockfile of a feature. */
export interface LockEntry {
  readonly version?: string | undefined;
  /** `name@sha256:…` or the address of the archive. */
  readonly resolved: string;
  readonly integrity: string;
  readonly dependsOn: readonly string[];
}

/** A lockfile's text: the same for the same features, whatever their order. Pure. */
export function renderLock(entries: ReadonlyMap<string, LockEntry>): string {
  const features = [...entries]
    .map(([reference, entry]) => [lockKey(reference), entry] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([reference, { version, resolved, integrity, dependsOn }]) => [
      reference,
      {
        ...given({ version }),
        resolved,
        integrity,
        ...(dependsOn.length === 0
          ? {}
          : { dependsOn: dependsOn.map(lockKey).sort() }),
      },
    ]);
  return `${JSON.stringify({ features: Object.fromEntries(features) as unknown }, null, 2)}\n`;
}

const badLock = (path: string, why: string): Error =>
  refused(
    "workspaces.featureInvalid",
    `${visible(path)} can't be obeyed: ${visible(why)}.`,
    { remedy: "Write it anew with guesthouse lock, or remove it." },
  );
