import type { MachineState } from "../../protocol/machines.ts";
import { isPassing, sinceMsOf } from "./describe.ts";

/**
 * Milliseconds until the age that a row shows is another one: each second while something is on its way or young,
 * then each minute. Undefined when nothing shown has an age.
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
    const step = isPassing(state) || age < 60_000 ? 1_000 : 60_000;
    const wait = step - (age % step);
    next = Math.min(next ?? wait, wait);
  }
  return next;
}
