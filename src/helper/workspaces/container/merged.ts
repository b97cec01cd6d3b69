/*
 * What the reference implementation answers of a configuration merged with the metadata of its image and features: the
 * commands of each, in order, and what the editor is to be told. It comes out of a guest, so each part is taken only where
 * it has the specification's form. Pure.
 */
import type { PortsOfFile } from "../devcontainer/portAttributes.ts";
import * as z from "zod";
import { given } from "../../../base/given.ts";
import {
  commandSchema,
  guestLifecycle,
  portAttributesSchema,
  type Devcontainer,
  type LifecycleCommand,
} from "../devcontainer/model.ts";
import { type FeatureHooks, mergedCustomizations } from "../features/merge.ts";

type Merged = Readonly<Record<string, unknown>>;

const commandsSchema = z.array(z.unknown());

/** Commands of image, features and file, each by its place: the merged file has them as `onCreateCommands` and so on. */
export function mergedHooks(merged: Merged): FeatureHooks[] {
  const lists = guestLifecycle.map((name) => {
    const read = commandsSchema.safeParse(merged[`${name}s`]);
    const commands = (read.success ? read.data : []).flatMap((command) => {
      const one = commandSchema.safeParse(command);
      return one.success ? [one.data] : [];
    });
    return { name, commands };
  });
  const most = Math.max(0, ...lists.map(({ commands }) => commands.length));
  return Array.from({ length: most }, (_, at) => ({
    identity: `merged-${String(at + 1)}`,
    commands: Object.fromEntries(
      lists.flatMap(({ name, commands }): [string, LifecycleCommand][] => {
        const command = commands[at];
        return command === undefined ? [] : [[name, command]];
      }),
    ),
  }));
}

/** What a later `up` needs of it: kept in the workspace's record. */
export const keptOf = (merged: Merged): Record<string, unknown> =>
  Object.fromEntries(
    [
      ...guestLifecycle.map((name) => `${name}s`),
      ...["remoteEnv", "customizations", "forwardPorts"],
      ...["portsAttributes", "otherPortsAttributes"],
    ].flatMap((name) => (name in merged ? [[name, merged[name]]] : [])),
  );

/** What all together say of ports; an entry without the specification's form is left out. */
export function mergedPorts(merged: Merged): PortsOfFile {
  const { portsAttributes, otherPortsAttributes } = merged;
  const entries = z
    .record(z.string(), z.unknown())
    .safeParse(portsAttributes).data;
  const ports = Object.entries(entries ?? {}).flatMap(([name, value]) => {
    const read = portAttributesSchema.safeParse(value);
    return read.success ? [[name, read.data] as const] : [];
  });
  const others = portAttributesSchema.safeParse(otherPortsAttributes).data;
  return {
    ...(ports.length === 0
      ? {}
      : { portsAttributes: Object.fromEntries(ports) }),
    ...given({ otherPortsAttributes: others }),
  };
}

const vscodeSchema = z.looseObject({
  extensions: z.array(z.string()).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
});

/** `customizations.vscode` of all, as one: the merged file has a list of them, in order. */
export function mergedEditor(
  merged: Merged,
): NonNullable<Devcontainer["customizations"]> {
  const { customizations } = merged;
  const listed =
    typeof customizations === "object" && customizations !== null
      ? (customizations as Merged)["vscode"]
      : undefined;
  const all = (Array.isArray(listed) ? listed : [listed]).flatMap((each) => {
    const read = vscodeSchema.safeParse(each);
    return read.success
      ? [{ metadata: { customizations: { vscode: read.data } } }]
      : [];
  });
  return mergedCustomizations(all, {});
}
