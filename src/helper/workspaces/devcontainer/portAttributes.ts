/*
 * `portsAttributes` and `otherPortsAttributes` for the ports that Guesthouse itself forwards. What the editor forwards gets
 * them as its settings (`editor/settings.ts`). Pure.
 */
import { given } from "../../../base/given.ts";
import { type PortName, portOpenings } from "../../../protocol/forwards.ts";
import type { Devcontainer } from "./model.ts";

/** What a file says of its ports. */
export type PortsOfFile = Pick<
  Devcontainer,
  "portsAttributes" | "otherPortsAttributes"
>;
export type PortAttributes = NonNullable<Devcontainer["otherPortsAttributes"]>;

/** A port of the dev container, or of the service `host` beside it. */
export interface PortOf {
  readonly host?: string | undefined;
  readonly guestPort: number;
}

/**
 * What the file says of a port: by `db:5432`, by its number, by a range that it is in, else by `otherPortsAttributes`. Those
 * are never a reason not to forward: whoever asked for this port meant it. A pattern is of command lines, and for the editor.
 */
export function attributesOf(
  { portsAttributes = {}, otherPortsAttributes }: PortsOfFile,
  { host, guestPort }: PortOf,
): PortAttributes {
  const number = String(guestPort);
  const exact =
    portsAttributes[`${host ?? "localhost"}:${number}`] ??
    portsAttributes[number];
  if (exact !== undefined) return exact;
  const inRange = Object.entries(portsAttributes).find(([key]) => {
    const [, from, to] = /^(\d+)-(\d+)$/.exec(key) ?? [];
    return Number(from) <= guestPort && guestPort <= Number(to);
  });
  if (inRange !== undefined) return inRange[1];
  const { onAutoForward, ...others } = otherPortsAttributes ?? {};
  return onAutoForward === "ignore"
    ? others
    : { ...others, ...given({ onAutoForward }) };
}

/** True where the file wants this very port left alone. */
export const isIgnored = (file: PortsOfFile, port: PortOf): boolean =>
  attributesOf(file, port).onAutoForward === "ignore";

/** How a port is shown, and opened; undefined where the file says nothing of that. */
export function nameOf(
  file: PortsOfFile,
  port: PortOf,
): (PortName & PortOf) | undefined {
  const { label, protocol, onAutoForward } = attributesOf(file, port);
  const open = portOpenings.find((each) => each === onAutoForward);
  if (label === undefined && protocol === undefined && open === undefined)
    return undefined;
  const { guestPort, host } = port;
  return { guestPort, ...given({ host, label, scheme: protocol, open }) };
}
