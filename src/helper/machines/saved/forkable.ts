import { refused } from "../../../protocol/failure.ts";
import type { Entry } from "../roster/entry.ts";

/** Why the machine with this id can't have copies of itself; undefined where it can. */
export type Unforkable = (id: string) => string | undefined;

/** Refuses with `machines.badRequest` where a second machine with this one's disk or memory would do harm. */
export function demandForkable(
  { record: { id, name } }: Entry,
  unforkable: Unforkable | undefined,
): void {
  const why = unforkable?.(id);
  if (why !== undefined)
    throw refused("machines.badRequest", `“${name}” can't be forked: ${why}`, {
      remedy:
        "Bring the folder, or one of its branches, up with --files copy: such a VM can be forked.",
    });
}
