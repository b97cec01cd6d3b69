import { visible } from "../../../base/visible.ts";
import type { LifecycleCommand, PlainCommand } from "./model.ts";

/** One thing to run. */
export interface Step {
  /** Its key in the object form; undefined in the others. */
  readonly name: string | undefined;
  readonly argv: readonly string[];
}

/** The steps of a command, which run in parallel; empty commands, which files have in plenty, are none. Pure. */
export const stepsOf = (command: LifecycleCommand | undefined): Step[] =>
  // A string is for `/bin/sh` (specification, "Lifecycle scripts").
  stepsBy((text) => ["/bin/sh", "-c", text], command);

const inPowerShell = ["powershell.exe", "-Command"] as const;

/** The same for Windows, whose shell is PowerShell. Pure. */
export const powerShellSteps = (
  command: LifecycleCommand | undefined,
): Step[] => stepsBy((text) => [...inPowerShell, text], command);

/** The text of such a step; undefined for a program that is to be run as it is. Pure. */
export const powerShellText = ([
  program,
  flag,
  text,
  ...more
]: readonly string[]): string | undefined =>
  program === inPowerShell[0] && flag === inPowerShell[1] && more.length === 0
    ? text
    : undefined;

function stepsBy(
  shell: (text: string) => readonly string[],
  command: LifecycleCommand | undefined,
): Step[] {
  if (command === undefined) return [];
  const named: [string | undefined, PlainCommand][] =
    typeof command === "string" || Array.isArray(command)
      ? [[undefined, command]]
      : Object.entries(command);
  return named.flatMap(([name, plain]) => {
    const argv = argvOf(shell, plain);
    return argv.length === 0 ? [] : [{ name, argv }];
  });
}

/** A string is for the guest's shell, an array is run as it is. */
const argvOf = (
  shell: (text: string) => readonly string[],
  plain: PlainCommand,
): readonly string[] => {
  if (typeof plain !== "string") return plain;
  return plain.trim() === "" ? [] : shell(plain);
};

/** For people, who decide by it: as it stands in the file, with nothing hidden. */
export const commandText = (command: LifecycleCommand): string =>
  visible(typeof command === "string" ? command : JSON.stringify(command));
