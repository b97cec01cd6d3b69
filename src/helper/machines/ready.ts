import { failed, GuesthouseError } from "../../protocol/failure.ts";
import type { MachineState } from "../../protocol/machines.ts";
import type { Entry } from "./roster/entry.ts";
import type { MachineRegistry } from "./roster/registry.ts";

/** Answers once the guest was reached in this boot; throws `machines.notReady` when its time is up. */
export async function untilReady(
  entry: Entry,
  registry: MachineRegistry,
  signal: AbortSignal,
): Promise<void> {
  const state = await registry.until(entry, isDecided, signal);
  if (state.kind !== "running") throw notReady(entry, state);
}

/** Whether the guest will be there is known. */
const isDecided = (state: MachineState): boolean =>
  state.kind !== "starting" && state.kind !== "creating";

function notReady(entry: Entry, state: MachineState): GuesthouseError {
  const { name } = entry.record;
  if (state.kind === "unready")
    return failed(
      "machines.notReady",
      `“${name}” runs but was not reached within ${String(Math.round(state.diagnosis.waitedMs / 1000))} s: ${state.diagnosis.hint}`,
      {
        remedy:
          "Look at its console and diagnosis; the machine and its log are kept.",
        actions: ["openConsole", "showDiagnosis", "retry", "delete"],
      },
    );
  if (
    (state.kind === "stopped" || state.kind === "paused") &&
    state.failure !== undefined
  )
    return new GuesthouseError(state.failure);
  return failed(
    "machines.startFailed",
    `“${name}” is ${state.kind} and can't be reached.`,
    {
      remedy: "Look at its boot log, then start it again.",
      actions: ["showLog", "retry"],
    },
  );
}
