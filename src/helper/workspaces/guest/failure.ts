import type { UpStage, WorkspaceState } from "../../../protocol/workspaces.ts";
import {
  failed,
  type GuesthouseError,
  toFailure,
} from "../../../protocol/failure.ts";
import type { StepOutcome } from "./steps.ts";

/** A command of the file ended badly. */
export class CommandFailure extends Error {
  readonly outcome: StepOutcome;
  /** What the client is told. */
  readonly told: GuesthouseError;
  constructor(outcome: StepOutcome, told: GuesthouseError) {
    super(told.message);
    this.outcome = outcome;
    this.told = told;
  }
}

/** With the name of the command or feature, its exit code, its last words and where the rest of them is. */
export function commandFailure(
  name: string,
  outcome: StepOutcome,
  logPath: string,
): CommandFailure {
  const how =
    outcome.code === -1
      ? "was ended by a signal"
      : `ended with exit code ${String(outcome.code)}`;
  const said =
    outcome.tail.length === 0
      ? " and said nothing."
      : `. Its last words:\n${outcome.tail.map((line) => `    ${line}`).join("\n")}`;
  const whole = `The whole output is in ${logPath}.`;
  return new CommandFailure(
    outcome,
    name === "initializeCommand"
      ? failed("workspaces.initializeFailed", `${name} ${how}${said}`, {
          remedy: `${whole} It ran on this computer, where a program that it needs may be missing. Fix it, or try again without it (--skip-initialize).`,
          actions: ["retry", "showLog"],
        })
      : failed("workspaces.commandFailed", `${name} ${how}${said}`, {
          remedy: `${whole} The VM is kept: fix the command, or the guest, and bring the folder up again. It continues from here.`,
          actions: ["retry", "showLog"],
        }),
  );
}

/** What the workspace is from now on, until the next `up`. */
export function failureState(
  stage: UpStage,
  error: unknown,
): Extract<WorkspaceState, { kind: "failed" }> {
  const isCommand = error instanceof CommandFailure;
  return {
    kind: "failed",
    stage,
    failure: toFailure(isCommand ? error.told : error),
    ...(isCommand
      ? { exitCode: error.outcome.code, tail: [...error.outcome.tail] }
      : {}),
  };
}
