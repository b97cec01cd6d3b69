import type { Devcontainer, LifecycleName } from "../devcontainer/model.ts";
import { type Step, stepsOf } from "../devcontainer/lifecycleCommands.ts";
import type { FeatureHooks } from "../features/merge.ts";

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
  /** For people: whose command it is. */
  readonly title: string;
  readonly steps: readonly Step[];
  /** What the guest is to remember, by which name, once it has run; undefined for what runs each time. */
  readonly mark: { readonly name: string; readonly value: string } | undefined;
}

/**
 * The commands that are to run now, in order: those of the creation and the dotfiles once in a VM's life, `postStart` once
 * a boot, `postAttach` always; of each, those of the features before the file's; nothing after `last`. `marks` is what the
 * guest remembers. Pure.
 */
export function dueCommands(
  file: Devcontainer,
  marks: ReadonlyMap<string, string>,
  bootId: string,
  {
    hooks = [],
    dotfiles = [],
    last = "postAttachCommand",
    steps: stepsIn = stepsOf,
  }: {
    readonly hooks?: readonly FeatureHooks[];
    readonly dotfiles?: readonly Step[];
    readonly last?: GuestCommand | undefined;
    /** As the guest's shell takes commands; default: a POSIX shell. */
    readonly steps?: typeof stepsOf;
  } = {},
): DueCommand[] {
  return order.flatMap((name) => {
    if (order.indexOf(name) > order.indexOf(last)) return [];
    const value = markOf(name, bootId);
    const due = (
      steps: readonly Step[],
      title: string,
      markName: string,
    ): DueCommand[] => {
      const isDone = value !== undefined && marks.get(markName) === value;
      const mark = value === undefined ? undefined : { name: markName, value };
      return steps.length === 0 || isDone ? [] : [{ name, title, steps, mark }];
    };
    if (name === "dotfiles") return due(dotfiles, name, name);
    return [
      ...hooks.flatMap(({ by, identity, commands }) =>
        due(
          stepsIn(commands[name]),
          by === undefined ? name : `${name} of the feature ${by}`,
          `${name}-${identity}`,
        ),
      ),
      ...due(stepsIn(file[name]), name, name),
    ];
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
