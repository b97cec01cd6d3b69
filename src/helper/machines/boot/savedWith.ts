import * as z from "zod";
import { type GuesthouseError, refused } from "../../../protocol/failure.ts";
import type { Qmp } from "../../qemu/qmp.ts";
import type { MachineHandles, SavedWith } from "../../store/records.ts";
import type { Environment } from "./environment.ts";

/** What a living machine's memory is saved with: by its own QEMU, which may be older than the one installed by now. */
export async function savedWithOf(
  qmp: Qmp,
  { accelerator }: Pick<MachineHandles, "accelerator">,
): Promise<SavedWith> {
  const { major, minor, micro } = qmp.version;
  const type = z
    .string()
    .parse(
      await qmp.execute("qom-get", { path: "/machine", property: "type" }),
    );
  return {
    qemu: [major, minor, micro].join("."),
    // The type's name as an object (QOM) ends so.
    machineType: type.replace(/-machine$/, ""),
    accelerator,
  };
}

/** What of this host decides whether it can take a saved state in. */
export type Taker = {
  readonly qemu: Pick<Environment["qemu"], "version" | "machineTypes">;
  readonly accelerator: Pick<Environment["accelerator"], "kind">;
};

/**
 * The refusal to throw before a kept memory is loaded that this host's QEMU can't take: it lacks the machine type, or
 * runs machines in another way. QEMU keeps the types of older versions, so an update alone is no reason. A state of
 * unknown origin is left to QEMU's judgement. `remedy` says what works instead. Pure.
 */
export function unfitRefusal(
  what: string,
  saved: SavedWith | undefined,
  { qemu, accelerator }: Taker,
  remedy: string,
): GuesthouseError | undefined {
  if (saved === undefined) return undefined;
  const { major, minor } = qemu.version;
  const why = !qemu.machineTypes.includes(saved.machineType)
    ? `it was saved by QEMU ${saved.qemu} as a ${saved.machineType}, which QEMU ${String(major)}.${String(minor)} of this host does not know`
    : saved.accelerator !== accelerator.kind
      ? `it was saved under ${saved.accelerator}, and this host runs machines with ${accelerator.kind} now`
      : undefined;
  if (why === undefined) return undefined;
  return refused("machines.captureFailed", `${what} can't go on: ${why}.`, {
    remedy: `${remedy} Nothing is lost: with QEMU ${saved.qemu} and ${saved.accelerator} it goes on where it was.`,
  });
}

export const coldRemedy = (name: string): string =>
  `Boot “${name}” from its disk, which is complete: guesthouse start --cold ${name}.`;
