import type { MachineState } from "../../protocol/machines.ts";
import { isPassing, sinceMsOf } from "../rows/machine.ts";

/**
 * Milliseconds until a row's age is drawn anew: each second while something is on its way, each tenth while it is
 * young, then each minute. Undefined when nothing shown has an age. Not more often, because drawing a row hides its
 * tooltip.
 */
export function nextTickMs(
  states: readonly MachineState[],
  nowMs: number,
): number | undefined {
  let next: number | undefined;
  for (const state of states) {
    const since = sinceMsOf(state);
    if (since === undefined) continue;
    const age = Math.max(0, nowMs - since);
    const step = isPassing(state) ? 1_000 : age < 60_000 ? 10_000 : 60_000;
    const wait = step - (age % step);
    next = Math.min(next ?? wait, wait);
  }
  return next;
}
