import type { Devcontainer, LifecycleName } from "../devcontainer/model.ts";
import { type Step, stepsOf } from "../devcontainer/commands.ts";

/** The file's commands, and what its user brings along. */
export type GuestCommand =
  Exclude<LifecycleName, "initializeCommand"> | "dotfiles";
const order: readonly GuestCommand[] = [
  "onCreateCommand",
  "updateContentCommand",
  "postCreateCommand",
  // As in the reference implementation: what is personal is no part of what the file makes.
  "dotfiles",
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
 * The commands that are to run now, in order: those of the creation and the dotfiles once in a VM's life, `postStart` once a boot,
 * `postAttach` always. `marks` is what the guest remembers. Pure.
 */
export function dueCommands(
  file: Devcontainer,
  marks: ReadonlyMap<string, string>,
  bootId: string,
  dotfiles: readonly Step[] = [],
): DueCommand[] {
  return order.flatMap((name) => {
    const mark = markOf(name, bootId);
    const steps = name === "dotfiles" ? dotfiles : stepsOf(file[name]);
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
