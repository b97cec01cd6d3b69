import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";

/** `guesthouse complete bash|zsh|fish|powershell` prints a completion script for the shell. */
export function addCompletion(program: Command): void {
  tab(program);
}
