import { expect } from "vitest";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Household } from "./household.ts";

/** Runs a command in a guest, which must succeed without a word of complaint, and answers what it printed. */
export async function runInGuest(
  house: Household,
  { alias }: Pick<Machine, "alias">,
  command: string,
): Promise<string> {
  const { exitCode, stdout, stderr } = await house.ssh(alias, [command]);
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}
