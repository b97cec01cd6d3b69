import { type Failure, toFailure } from "../../../protocol/failure.ts";
import { exitCodeOf } from "./exitCodes.ts";

/** Ctrl-C; `kill` and `timeout`; a terminal that was closed. Each ends what goes on for this command in the helper, too. */
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function reportFailures(
  output: { readonly json?: boolean },
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
