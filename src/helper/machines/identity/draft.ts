/*
 * The record that a new machine begins with, before its image is known. Refuses names and users that can't be.
 */
import type { ParsedParams } from "../../../protocol/contract.ts";
import { refused } from "../../../protocol/failure.ts";
import type { MachineRecord } from "../../store/records.ts";
import { freeAddress } from "./addresses.ts";
import { claimName, newIdentity } from "./names.ts";
import type { MachineRegistry } from "../roster/registry.ts";
import { usualSize } from "../roster/shape.ts";

/** The record of a machine that is wished for, with an identity of its own; refuses names and users that can't be. */
export function draft(
  params: ParsedParams<"machines.create">,
  imageName: string,
  registry: MachineRegistry,
): MachineRecord {
  const name = claimName(
    params.name,
    nameFrom(imageName),
    registry.takenNames(),
  );
  return {
    format: 1,
    ...newIdentity(name, registry.takenAliases()),
    image: { name: imageName, digest: "" },
    os: "linux",
    generation: 0,
    ...usualSize(params),
    user: checkUser(params.user ?? ""),
    createdAt: new Date().toISOString(),
    guestAddress: freeAddress(registry.takenAddresses()),
    checkpoints: [],
    hostPublicKey: "",
    agentForwarding: params.agentForwarding ?? false,
    hostLoopback: params.hostLoopback ?? false,
    screen: params.screen ?? false,
    forwards: params.forwards ?? [],
    lastStop: { reason: "created" },
  };
}

/** A POSIX login name (useradd(8)); empty means the image's own. */
function checkUser(user: string): string {
  if (user === "" || /^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return user;
  throw refused(
    "machines.badRequest",
    `“${user}” can't be a user's name in the guest.`,
    {
      remedy:
        "Use lower-case letters, digits, hyphens and underscores, 32 at most.",
    },
  );
}

const nameFrom = (imageName: string): string =>
  imageName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 56) || "machine";
