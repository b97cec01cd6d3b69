import { ConfigurationTarget, workspace } from "vscode";
import type { GuestSystem } from "../../protocol/images.ts";

type Platforms = Readonly<Record<string, string>>;

/** The settings with this alias in them, undefined when nothing changes. */
export function withPlatform(
  platforms: Platforms,
  alias: string,
  platform: string,
): Platforms | undefined {
  return platforms[alias] === platform
    ? undefined
    : { ...platforms, [alias]: platform };
}

/** The settings without these aliases, undefined when none is in them. */
export function withoutPlatforms(
  platforms: Platforms,
  aliases: readonly string[],
): Platforms | undefined {
  const kept = Object.entries(platforms).filter(
    ([alias]) => !aliases.includes(alias),
  );
  return kept.length === Object.keys(platforms).length
    ? undefined
    : Object.fromEntries(kept);
}

/**
 * What `connectTimeout` must become; undefined when it is long enough. It is the user's: raised when a machine that
 * has to boot first would not make it, never lowered.
 */
export const raisedTimeout = (
  present: number,
  neededSeconds: number,
): number | undefined => (present >= neededSeconds ? undefined : neededSeconds);

/** A boot from Recent has to fit in, under emulation, too. */
const neededTimeoutSeconds = 120;

/**
 * Writes what the editor has to know before it connects: the platform under the exact alias (wildcards work in one
 * editor only), or it would ask the user. Written from a local window before opening: during a connection's set-up
 * such a write can hang.
 */
export async function prepareEditor(
  alias: string,
  platform: GuestSystem,
): Promise<void> {
  await update<Platforms>("remotePlatform", (present) =>
    withPlatform(present, alias, platform),
  );
  await update<number>("connectTimeout", (present) =>
    raisedTimeout(present, neededTimeoutSeconds),
  );
}

/** Removes what `prepareEditor` wrote for machines that are gone. */
export const forgetPlatforms = (aliases: readonly string[]): Promise<void> =>
  update<Platforms>("remotePlatform", (present) =>
    withoutPlatforms(present, aliases),
  );

/** `remote.SSH.configFile` as a path; undefined for the default file. */
export function sshConfigFile(home: string): string | undefined {
  const file = workspace
    .getConfiguration("remote.SSH")
    .get<string | null>("configFile");
  if (file === undefined || file === null || file.trim() === "")
    return undefined;
  return file.trim().replace(/^~(?=$|[/\\])/, home);
}

/** Changes a user setting of the SSH extension; does nothing when that extension doesn't have it. */
async function update<T>(
  name: string,
  change: (present: T) => T | undefined,
): Promise<void> {
  const settings = workspace.getConfiguration("remote.SSH");
  const known = settings.inspect<T>(name);
  // Without a default the setting isn't registered, and writing it would fail.
  if (known?.defaultValue === undefined) return;
  const next = change(known.globalValue ?? known.defaultValue);
  if (next === undefined) return;
  // A value that is the default again leaves the user's file.
  const same = JSON.stringify(next) === JSON.stringify(known.defaultValue);
  const value = same ? undefined : next;
  await settings.update(name, value, ConfigurationTarget.Global);
}
