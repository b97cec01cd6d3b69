import { given } from "../../../../base/given.ts";
import { sleep } from "../../../../base/deadline.ts";
import { allocatedBytes } from "../../../../base/files.ts";
import { GuesthouseError } from "../../../../protocol/failure.ts";
import { type GuestAgent, withAgent } from "../../../guests/agent/agent.ts";
import { isSameProcess, type LaunchedQemu } from "../../../qemu/process.ts";
import type { InstallFiles } from "../../../store/layout.ts";
import type { InstallHost } from "./host.ts";
import { type InstallResults, readResults, setupLog } from "./results.ts";
import {
  firstWatch,
  type InstallRules,
  type InstallSight,
  type InstallWord,
  look,
} from "./watch.ts";

export interface Following {
  readonly machine: LaunchedQemu;
  readonly files: InstallFiles;
  readonly rules: InstallRules;
  /** Restarts of setup that an earlier helper saw. */
  readonly restarts: number;
  /** Gets the steps of a disk begun that came with Windows; undefined while nobody inside answers. */
  readonly begin?: (signal: AbortSignal) => Promise<InstallSight["begun"]>;
  /** Their results by another way, where no agent answers. */
  readonly resultsOtherwise?: (
    signal: AbortSignal,
  ) => Promise<InstallResults | undefined>;
  /** Each time anything may have changed. */
  readonly onLook: (
    word: Extract<InstallWord, { kind: "going" }>,
    diskBytes: number,
  ) => void;
  readonly onRestarts: (restarts: number) => Promise<void>;
}

/** Watches an installation until it is ready or has failed; what goes on in the guest is judged by `look`. */
export async function follow(
  host: Pick<InstallHost, "pollMs" | "agentTimeoutMs">,
  { machine, files, rules, begin, ...more }: Following,
  signal: AbortSignal,
): Promise<Exclude<InstallWord, { kind: "going" }>> {
  const { onLook, onRestarts } = more;
  let resets = 0;
  let lastResetMs = -Infinity;
  const closed = new AbortController();
  // A clock that stands still while the host sleeps.
  const now = (): number => performance.now();
  const unlisten = machine.qmp.onEvent(({ event, data }) => {
    // The monitor's own `system_reset` is nobody's here.
    if (event !== "RESET" || data["guest"] !== true) return;
    if (now() - lastResetMs > sameRestartMs) resets++;
    lastResetMs = now();
  });
  void machine.qmp.closed.then(() => closed.abort());
  let watch = firstWatch(now(), 0, more.restarts);
  let told = more.restarts;
  let begun: InstallSight["begun"];
  try {
    for (;;) {
      const off = closed.signal.aborted && !(await isSameProcess(machine));
      // Nobody answers there, and asking in vain takes its time.
      const silent =
        off || (watch.stage === "firmware" && watch.restarts === 0);
      if (begun !== true && !silent) begun = await begin?.(signal);
      const [diskBytes, results] = await Promise.all([
        allocatedBytes(files.disk),
        // Before that there are those of whoever prepared the disk earlier.
        silent || (begin !== undefined && begun !== true)
          ? undefined
          : resultsOf(host, files, rules, signal).then(
              (found) => found ?? more.resultsOtherwise?.(signal),
            ),
      ]);
      const looked = look(
        watch,
        {
          atMs: now(),
          diskBytes,
          resets,
          off,
          ...given({ results, begun }),
        },
        rules,
      );
      watch = looked.watch;
      if (watch.restarts !== told) await onRestarts((told = watch.restarts));
      if (looked.word.kind !== "going") return looked.word;
      onLook(looked.word, diskBytes);
      await sleep(host.pollMs, signal);
    }
  } finally {
    await unlisten();
  }
}

/** A system that restarts tries one way after the other until it is gone, so QEMU may tell of two resets for one restart. */
const sameRestartMs = 1_000;

/** Undefined while no agent answers, which is most of the time. */
function resultsOf(
  host: Pick<InstallHost, "agentTimeoutMs">,
  files: InstallFiles,
  { steps }: InstallRules,
  signal: AbortSignal,
): Promise<InstallResults | undefined> {
  return asked(host, files, signal, (agent) =>
    readResults((path) => textOf(agent, path, signal), steps),
  );
}

/** What the scripts logged, as far as an agent answers. */
export async function setupLogOf(
  host: Pick<InstallHost, "agentTimeoutMs">,
  files: InstallFiles,
  signal: AbortSignal,
): Promise<string | undefined> {
  return asked(host, files, signal, (agent) => textOf(agent, setupLog, signal));
}

/** Asks the agent once; undefined where none answers. What it refuses is thrown by `work` itself, or lost. */
export async function asked<T>(
  { agentTimeoutMs }: Pick<InstallHost, "agentTimeoutMs">,
  { agentSocket }: Pick<InstallFiles, "agentSocket">,
  signal: AbortSignal,
  work: (agent: GuestAgent) => Promise<T>,
): Promise<T | undefined> {
  try {
    const options = { timeoutMs: agentTimeoutMs, tries: 1 };
    return await withAgent(agentSocket, options, work, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GuesthouseError) return undefined;
    throw error;
  }
}

/** Undefined for a file that the agent doesn't open: it isn't there yet. */
export async function textOf(
  agent: GuestAgent,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await agent.readFile(path, signal)).toString("utf8");
  } catch (error) {
    if (error instanceof GuesthouseError && error.failure.kind === "refused")
      return undefined;
    throw error;
  }
}
