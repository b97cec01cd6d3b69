import { withDeadline } from "../../../base/deadline.ts";
import type { SelfTestLine } from "../../../protocol/selfTest.ts";
import {
  type GuestAgent,
  type GuestExecResult,
  withAgent,
} from "../../guests/agent/agent.ts";
import { verifyScript } from "../../images/windows/contract/contract.ts";
import type {
  ContractLine,
  Question,
} from "../../images/windows/contract/contractLine.ts";
import { powerShellArguments } from "../../guests/programs/powershell.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import type { SshTarget } from "../../ssh/target.ts";
import {
  type Answer,
  askAgent,
  exchangeFile,
  judgeOutput,
  stepResults,
} from "./answers.ts";
import { shareable } from "./shareable.ts";

/** A living guest, and what is known of it outside. */
export interface GuestUnderTest {
  readonly agentSocket: string;
  readonly ssh: SshTarget;
  readonly macAddress: string;
  /** The guest's address in its own network. */
  readonly address: string;
  /** Words that are nobody else's business, with what stands for them. */
  readonly hidden: readonly (readonly [word: string, standsFor: string])[];
}

const callTimeoutMs = 15_000;
const scriptTimeoutMs = 60_000;
/** All steps in one go, on a computer that has just been started. */
const stepsTimeoutMs = 300_000;

/**
 * Asks a guest every line, one after the other, as it has one agent that serves one client. A line that can't be asked
 * doesn't hold, and says why; throws only the signal's reason.
 */
export async function askGuest(
  guest: GuestUnderTest,
  lines: readonly ContractLine[],
  signal: AbortSignal,
): Promise<SelfTestLine[]> {
  const asked: SelfTestLine[] = [];
  const means = createMeans(guest, signal);
  try {
    for (const line of lines) {
      const startedAt = performance.now();
      const { output, reason } = await answerOf(line, means, guest, signal);
      asked.push({
        id: line.id,
        title: line.title,
        system: line.system,
        asked: line.asked,
        judged: line.judged,
        holds: reason === undefined,
        ...(reason === undefined
          ? {}
          : { reason: shareable(reason, guest.hidden) }),
        tookMs: Math.round(performance.now() - startedAt),
        output: shareable(output, guest.hidden),
      });
    }
    return asked;
  } finally {
    await means.close();
  }
}

async function answerOf(
  { question }: ContractLine,
  means: Means,
  guest: GuestUnderTest,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    return await ask(question, means, guest, signal);
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { output: "", reason };
  }
}

/** What the questions of one run share. */
interface Means {
  readonly agent: <T>(work: (agent: GuestAgent) => Promise<T>) => Promise<T>;
  /** By a program that the agent starts, once. */
  readonly run: (
    argv: readonly string[],
    timeoutMs: number,
  ) => Promise<GuestExecResult>;
  /** One login for all. */
  readonly session: () => Promise<SshSession>;
  /** What the steps' verification said, by step: one run for all. */
  readonly steps: () => Promise<ReadonlyMap<string, Answer>>;
  readonly close: () => Promise<void>;
}

function createMeans(guest: GuestUnderTest, signal: AbortSignal): Means {
  let session: Promise<SshSession> | undefined;
  let steps: Promise<ReadonlyMap<string, Answer>> | undefined;
  const withTries =
    (tries: number): Means["agent"] =>
    (work) =>
      withAgent(
        guest.agentSocket,
        { timeoutMs: callTimeoutMs, tries },
        (one) => work(one),
        signal,
      );
  const run: Means["run"] = (argv, timeoutMs) =>
    // What did not end in time would not the second time.
    withTries(1)((one) => one.exec(argv, { timeoutMs }, signal));
  return {
    agent: withTries(2),
    run,
    session: () => (session ??= connectSsh(guest.ssh, {}, signal)),
    steps: () =>
      (steps ??= run(
        [
          ...["powershell.exe", "-NoProfile", "-NonInteractive"],
          ...["-ExecutionPolicy", "Bypass", "-File", verifyScript],
        ],
        stepsTimeoutMs,
      ).then(stepResults)),
    async close() {
      (await session?.catch(() => undefined))?.close();
    },
  };
}

/** Errors end a script, and progress is nothing that anybody reads. */
const scriptHead =
  "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue'; ";

async function ask(
  question: Question,
  means: Means,
  guest: GuestUnderTest,
  signal: AbortSignal,
): Promise<Answer> {
  switch (question.by) {
    case "agent":
      return askAgent(question.call, guest, means.agent, signal);
    case "powershell":
      return judgeOutput(
        await means.run(
          powerShellArguments(scriptHead + question.script),
          scriptTimeoutMs,
        ),
        question,
      );
    case "file": {
      const content = await means.agent((one) =>
        one.readFile(question.path, signal),
      );
      return judgeOutput(
        { code: 0, stdout: content.toString("utf8"), stderr: "" },
        question,
      );
    }
    case "ssh": {
      const session = await means.session();
      return judgeOutput(
        await withDeadline(
          "The command",
          scriptTimeoutMs,
          (inTime) => session.exec(question.command, {}, inTime),
          signal,
        ),
        question,
      );
    }
    case "sftp":
      return exchangeFile(await means.session(), signal);
    case "step":
      return (
        (await means.steps()).get(question.step) ?? {
          output: "",
          reason: `${verifyScript} says nothing of this step.`,
        }
      );
  }
}
