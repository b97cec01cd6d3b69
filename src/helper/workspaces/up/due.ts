import type { Devcontainer, LifecycleName } from "../devcontainer/model.ts";
import { type Step, stepsOf } from "../devcontainer/commands.ts";

export type GuestCommand = Exclude<LifecycleName, "initializeCommand">;
const order: readonly GuestCommand[] = [
  "onCreateCommand",
  "updateContentCommand",
  "postCreateCommand",
  "postStartCommand",
  "postAttachCommand",
];

export interface DueCommand {
  readonly name: GuestCommand;
  readonly steps: readonly Step[];
  /** What the guest is to remember once it has run; undefined for what runs each time. */
  readonly mark: string | undefined;
}

/**
 * The commands that are to run now, in order: those of the creation once in a VM's life, `postStart` once a boot,
 * `postAttach` always. `marks` is what the guest remembers; nothing after `last`. Pure.
 */
export function dueCommands(
  file: Devcontainer,
  marks: ReadonlyMap<string, string>,
  bootId: string,
  last: GuestCommand = "postAttachCommand",
): DueCommand[] {
  return order.flatMap((name) => {
    if (order.indexOf(name) > order.indexOf(last)) return [];
    const mark = markOf(name, bootId);
    const steps = stepsOf(file[name]);
    const isDone = mark !== undefined && marks.get(name) === mark;
    return steps.length === 0 || isDone ? [] : [{ name, steps, mark }];
  });
}

function markOf(name: GuestCommand, bootId: string): string | undefined {
  switch (name) {
    case "postStartCommand":
      return bootId;
    case "postAttachCommand":
      return undefined;
    default:
      return "once";
  }
}

/** Commands after which an editor may open (`waitFor`, by default `updateContentCommand`): is this one of the later ones? */
export function isAfter(
  name: GuestCommand,
  waitFor: LifecycleName = "updateContentCommand",
): boolean {
  return waitFor === "initializeCommand"
    ? true
    : order.indexOf(name) > order.indexOf(waitFor);
}
