import { version } from "../../base/version.ts";
import { type Failure, toFailure } from "../../protocol/failure.ts";
import { defaultHome } from "../../rpc/address.ts";
import type { RpcClient } from "../../rpc/call.ts";
import {
  ensureHelper,
  greet,
  type Helper,
  type LaunchOptions,
} from "../../rpc/launch.ts";
import { exitCodeOf } from "./exitCodes.ts";
import { createProgress, type Progress } from "./progress.ts";

export interface Session {
  readonly client: RpcClient;
  readonly helper: Helper;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface OutputOptions {
  readonly json?: boolean;
}

export const launchOptions = (): LaunchOptions => ({
  home: defaultHome(),
  // The bundle runs itself: the same program is helper and command line.
  command: [process.execPath, __filename],
  env: electronEnvironment(),
  version,
  client: "cli",
});

export function electronEnvironment(): Record<string, string> {
  const flag = process.env["ELECTRON_RUN_AS_NODE"];
  return flag === undefined ? {} : { ELECTRON_RUN_AS_NODE: flag };
}

/**
 * Runs one command against the helper: connects (starting the helper when needed), shows progress on the terminal,
 * cancels on Ctrl-C and its like, turns a failure into a message and an exit code.
 */
export async function withHelper<T>(
  output: OutputOptions,
  work: (session: Session) => Promise<T>,
  print: (value: T) => string | undefined,
): Promise<void> {
  await reportFailures(output, async (signal) => {
    const progress = createProgress(output.json === true);
    const helper = await ensureHelper(launchOptions(), signal);
    try {
      const { client } = helper;
      const value = await work({ client, helper, progress, signal });
      progress.stop();
      say(output, value, print);
    } finally {
      progress.stop();
      helper.client.close();
    }
  });
}

/** The running helper, or undefined; never starts one. */
export const runningHelper = (): Promise<Helper | undefined> =>
  greet(launchOptions());

export function say<T>(
  output: OutputOptions,
  value: T,
  print: (value: T) => string | undefined,
): void {
  const text =
    output.json === true ? JSON.stringify(value, null, 2) : print(value);
  if (text !== undefined && text !== "") process.stdout.write(`${text}\n`);
}

/** Ctrl-C; `kill` and `timeout`; a terminal that was closed. Each ends what goes on for this command in the helper, too. */
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function reportFailures(
  output: OutputOptions,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const interrupt = (): void => {
    // A second one does not wait for anybody.
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  for (const signal of endings) process.on(signal, interrupt);
  try {
    await work(controller.signal);
  } catch (error) {
    const failure = toFailure(error);
    process.stderr.write(describe(failure, output.json === true));
    process.exitCode = exitCodeOf(failure);
  } finally {
    for (const signal of endings) process.removeListener(signal, interrupt);
  }
}

function describe(failure: Failure, json: boolean): string {
  if (json) return `${JSON.stringify({ failure })}\n`;
  const lines = [`guesthouse: ${failure.message}`];
  if (failure.remedy !== undefined) lines.push(`  → ${failure.remedy}`);
  if (failure.kind === "bug")
    lines.push(
      `  Sorry. The helper's log has more${failure.requestId === undefined ? "" : ` (request ${failure.requestId})`}.`,
    );
  return `${lines.join("\n")}\n`;
}
