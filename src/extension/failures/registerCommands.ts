import { commands, type Disposable } from "vscode";
import type { Commands } from "../window/commandIds.ts";
import { failedWorkOf } from "./about.ts";
import { failureOf, presentFailure } from "./present.ts";

/**
 * Registers the whole table. This is the one place where a command's failure is told; the promise of a command
 * settles when its work ends, the notification may stay longer.
 */
export function registerCommands(table: Commands): Disposable[] {
  return Object.entries(table).map(([id, command]) =>
    commands.registerCommand(id, (...args: readonly unknown[]) =>
      runTold(() => command(...args)),
    ),
  );
}

/** Runs work and tells its failure; *Try Again* does the step that failed. */
export async function runTold(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const failure = await failureOf(error);
    const failed = failedWorkOf(error);
    void presentFailure(failure, failed?.subject, () =>
      runTold(failed?.again ?? work),
    );
  }
}
