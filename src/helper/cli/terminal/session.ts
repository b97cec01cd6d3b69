import type { RpcClient } from "../../../rpc/call.ts";
import { ensureHelper, greet, type Helper } from "../../../rpc/launch.ts";
import { launchOptions } from "./launchOptions.ts";
import { createProgress, type Progress } from "./progress.ts";
import { reportFailures } from "./reportFailures.ts";

export interface Session {
  readonly client: RpcClient;
  readonly helper: Helper;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** `--json`, which every command that prints something has. */
export interface JsonFlag {
  readonly json?: boolean;
}

/**
 * Runs one command against the helper: connects (starting the helper when needed), shows progress on the terminal,
 * cancels on Ctrl-C and its like, turns a failure into a message and an exit code.
 */
export async function withHelper<T>(
  output: JsonFlag,
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
  output: JsonFlag,
  value: T,
  print: (value: T) => string | undefined,
): void {
  const text =
    output.json === true ? JSON.stringify(value, null, 2) : print(value);
  if (text !== undefined && text !== "") process.stdout.write(`${text}\n`);
}
