import type { Failure } from "../../../protocol/failure.ts";

/** What the command line's exit codes mean; `guesthouse help` and the README say the same. */
export const exitCodes = {
  ok: 0,
  /** The host, a tool, the disk or the network let us down. */
  failed: 1,
  /** Unknown command or option. */
  usage: 2,
  /** Wrong state, unknown name, bad value. */
  refused: 3,
  /** The machine runs, but its guest was not reached in time. */
  notReady: 4,
  /** A bug of ours. */
  bug: 70,
  cancelled: 130,
} as const;

export function exitCodeOf({ kind, code }: Failure): number {
  if (code === "machines.notReady") return exitCodes.notReady;
  return exitCodes[kind];
}

export const exitCodesHelp = `
Exit codes: 0 done · 1 host, tool, disk or network failed · 2 wrong usage · 3 refused (state, name, value) ·
4 machine runs but was not reached in time · 70 bug · 130 cancelled · with \`ssh\`, the command's own.`;
