import type { StartWay } from "../../../protocol/machines.ts";
import type { TemplateFiles } from "../../store/layout.ts";
import type { MachineRecord, SavedWith } from "../../store/records.ts";
import { can } from "../roster/systems.ts";
import type { Environment } from "./environment.ts";
import type { StartSpec } from "./prepared.ts";
import { coldRemedy, unfitRefusal } from "./savedWith.ts";

/** Where a machine's QEMU begins. After `template` and `state` the guest stands paused in the middle of its life. */
export type StartFrom =
  | { readonly kind: "cold" }
  | {
      readonly kind: "template";
      readonly files: TemplateFiles;
      /** What it was saved with. */
      readonly network: "user" | "passt";
    }
  | {
      readonly kind: "state";
      readonly path: string;
      readonly way: Exclude<StartWay, "cold" | "warm">;
      /** See `addresses.ts`. */
      readonly leases: number;
      readonly savedWith?: SavedWith | undefined;
    };

export const wayOf = (from: StartFrom): StartWay =>
  from.kind === "cold" ? "cold" : from.kind === "template" ? "warm" : from.way;

/**
 * The place in the user network's memory that this machine's card gets. A state that was saved there knows the cards
 * that it served; a guest that takes on another identity brings one more.
 */
export function leasesOf({ os }: MachineRecord, from: StartFrom): number {
  const isSameCard = !can[os].changeCard;
  switch (from.kind) {
    case "cold":
      return 1;
    case "template":
      return from.network === "user" && !isSameCard ? 2 : 1;
    case "state":
      return from.way === "fork" && !isSameCard
        ? from.leases + 1
        : Math.max(from.leases, 1);
  }
}

export const savedOnUserNetwork = (from: StartFrom): boolean =>
  from.kind === "template"
    ? from.network === "user"
    : from.kind === "state" && from.leases > 0;

/** Refuses a kept memory that this host is known not to take in. */
export function demandFit(
  { name }: MachineRecord,
  from: StartFrom,
  environment: Environment,
): void {
  if (from.kind !== "state") return;
  const error = unfitRefusal(
    `“${name}”`,
    from.savedWith,
    environment,
    coldRemedy(name),
  );
  if (error !== undefined) throw error;
}

export const memoryOf = (from: StartFrom): Omit<StartSpec, "network"> =>
  from.kind === "cold"
    ? {}
    : from.kind === "template"
      ? {
          incoming: true,
          memoryFile: { path: from.files.memory, shared: false },
        }
      : { incoming: true, machineType: from.savedWith?.machineType };
