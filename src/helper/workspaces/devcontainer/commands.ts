import { visible } from "../../../base/visible.ts";
import type { LifecycleCommand, PlainCommand } from "./model.ts";

/** One thing to run. */
export interface Step {
  /** Its key in the object form; undefined in the others. */
  readonly name: string | undefined;
  readonly argv: readonly string[];
}

/** The steps of a command, which run in parallel; empty commands, which files have in plenty, are none. Pure. */
export function stepsOf(command: LifecycleCommand | undefined): Step[] {
  if (command === undefined) return [];
  const named: [string | undefined, PlainCommand][] =
    typeof command === "string" || Array.isArray(command)
      ? [[undefined, command]]
      : Object.entries(command);
  return named.flatMap(([name, plain]) => {
    const argv = argvOf(plain);
    return argv.length === 0 ? [] : [{ name, argv }];
  });
}

/** A string is for `/bin/sh` (specification, "Lifecycle scripts"), an array is run as it is. */
const argvOf = (plain: PlainCommand): readonly string[] => {
  if (typeof plain !== "string") return plain;
  return plain.trim() === "" ? [] : ["/bin/sh", "-c", plain];
};

/** For people, who decide by it: as it stands in the file, with nothing hidden. */
export const commandText = (command: LifecycleCommand): string =>
  visible(typeof command === "string" ? command : JSON.stringify(command));
