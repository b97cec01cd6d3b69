import type { Step } from "../devcontainer/lifecycleCommands.ts";
import { Tail, type WorkspaceLog } from "./log.ts";

export interface StepOutcome {
  /** 0 when it went well; -1 after a signal. */
  readonly code: number;
  /** Last lines of its output. */
  readonly tail: readonly string[];
}

/** Runs one step somewhere; what it prints is passed on as it comes. A code other than 0 is an outcome, not an error. */
export type RunStep = (
  argv: readonly string[],
  onOutput: (text: string) => void,
  signal: AbortSignal,
) => Promise<number>;

const tailLines = 12;
/** sshd allows ten sessions on one connection (MaxSessions), and ours holds one of them. */
const mostAtOnce = 8;

/**
 * Runs the steps of one command in parallel and waits for all of them. Answers with the first that failed, else with
 * success. Output of named steps carries their names at the beginning of each line.
 */
export async function runSteps(
  steps: readonly Step[],
  run: RunStep,
  log: WorkspaceLog,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const waiting = [...steps];
  const outcomes: StepOutcome[] = [];
  const work = async (): Promise<void> => {
    for (;;) {
      const step = waiting.shift();
      if (step === undefined) return;
      outcomes.push(await runStep(step, run, log, signal));
    }
  };
  const workers = Array.from(
    { length: Math.min(mostAtOnce, steps.length) },
    work,
  );
  // All have ended before anybody goes on, also when one of them threw.
  const ended = await Promise.allSettled(workers);
  for (const each of ended) if (each.status === "rejected") throw each.reason;
  return outcomes.find(({ code }) => code !== 0) ?? { code: 0, tail: [] };
}

async function runStep(
  { name, argv }: Step,
  run: RunStep,
  log: WorkspaceLog,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const tail = new Tail(tailLines);
  const write =
    name === undefined
      ? (text: string) => log.write(text)
      : linesOf(`[${name}] `, log);
  const code = await run(
    argv,
    (text) => {
      tail.take(text);
      write(text);
    },
    signal,
  );
  if (name !== undefined) write("\n");
  if (code !== 0)
    log.note(
      `${name === undefined ? "It" : `“${name}”`} ended with exit code ${String(code)}.`,
    );
  return { code, tail: tail.lines() };
}

/** Whole lines only, so that steps that run side by side don't mix within one. */
function linesOf(prefix: string, log: WorkspaceLog): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines)
      if (line.trim() !== "") log.write(`${prefix}${line}\n`);
  };
}
