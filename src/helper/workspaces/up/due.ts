import type { Devcontainer, LifecycleName } from "../devcontainer/model.ts";
import { type Step, stepsOf } from "../devcontainer/commands.ts";
import type { FeatureHooks } from "../features/merge.ts";

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
  /** For people: whose command it is. */
  readonly title: string;
  readonly steps: readonly Step[];
  /** What the guest is to remember, by which name, once it has run; undefined for what runs each time. */
  readonly mark: { readonly name: string; readonly value: string } | undefined;
}

/**
 * The commands that are to run now, in order: those of the creation once in a VM's life, `postStart` once a boot,
 * `postAttach` always; of each, those of the features before the file's; nothing after `last`. `marks` is what the guest
 * remembers. Pure.
 */
export function dueCommands(
  file: Devcontainer,
  marks: ReadonlyMap<string, string>,
  bootId: string,
  hooks: readonly FeatureHooks[] = [],
  last: GuestCommand = "postAttachCommand",
): DueCommand[] {
  return order.flatMap((name) => {
    if (order.indexOf(name) > order.indexOf(last)) return [];
    const value = markOf(name, bootId);
    const commands = [
      ...hooks.map(({ by, identity, commands }) => ({
        command: commands[name],
        title: `${name} of the feature ${by}`,
        markName: `${name}-${identity}`,
      })),
      { command: file[name], title: name, markName: name },
    ];
    return commands.flatMap(({ command, title, markName }): DueCommand[] => {
      const steps = stepsOf(command);
      const isDone = value !== undefined && marks.get(markName) === value;
      const mark = value === undefined ? undefined : { name: markName, value };
      return steps.length === 0 || isDone ? [] : [{ name, title, steps, mark }];
    });
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
