import { randomBytes, randomUUID } from "node:crypto";
import { refused } from "../../../protocol/failure.ts";
import { newMacAddress } from "../../networks/macAddress.ts";

/** RFC 1123 label: also the guest's hostname and part of an ssh alias, which editors fold to lower case. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Refuses with `machines.nameInvalid`, offering the nearest good name. */
export function checkName(name: string): void {
  if (label.test(name)) return;
  const offer = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  throw refused(
    "machines.nameInvalid",
    `“${name}” can't be a machine's name: use lower-case letters, digits and hyphens, 63 at most, beginning and ending with a letter or digit.`,
    offer === "" ? {} : { remedy: `Try “${offer}”.` },
  );
}

/** `base`, or `base-2`, `base-3`, … whichever nobody has. */
export function freeName(base: string, taken: ReadonlySet<string>): string {
  if (!taken.has(base)) return base;
  for (let n = 2; ; n++) {
    const name = `${base}-${String(n)}`;
    if (!taken.has(name)) return name;
  }
}

/** `Host` of the ssh config. The prefix keeps it apart from the user's own hosts. */
export const aliasFor = (name: string, taken: ReadonlySet<string>): string =>
  freeName(`gh-${name}`, taken);

/** 48 random bits: short enough for socket paths and unique enough for one user's machines (B22). */
export const newMachineId = (): string => randomBytes(6).toString("hex");

/** The wanted name, or a free one like `base`. Refuses with `machines.nameInvalid` and `machines.nameTaken`. */
export function claimName(
  wanted: string | undefined,
  base: string,
  taken: ReadonlySet<string>,
): string {
  const name = wanted ?? freeName(base, taken);
  checkName(name);
  if (!taken.has(name)) return name;
  throw refused("machines.nameTaken", `There is already a machine “${name}”.`, {
    remedy: `Choose another name, for example “${freeName(name, taken)}”.`,
  });
}

/** Everything by which a machine differs from every other one; its host key comes later. */
export function newIdentity(name: string, takenAliases: ReadonlySet<string>) {
  const id = newMachineId();
  return {
    id,
    name,
    alias: aliasFor(name, takenAliases),
    macAddress: newMacAddress(),
    uuid: randomUUID(),
    vmGenerationId: randomUUID(),
    instanceId: `guesthouse-${id}`,
    seedPending: true as const,
  };
}
