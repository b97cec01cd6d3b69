/*
 * Watches one boot of a guest by its console, its agent and SSH at once, each in a loop of its own. It keeps true that
 * stages only go forward, and that nothing of the loops runs on when it answers. It ends no guest and owns no file. Called
 * for a machine's boot, a template's and a preparation's.
 */
import type { SshTarget } from "../../ssh/target.ts";
import { sleep } from "../../../base/deadline.ts";
import { bootStages, type BootStage } from "../../../protocol/machines.ts";
import { openClient, type ConnectFailure } from "../../ssh/client.ts";
import { sessionOver, type SshSession } from "../../ssh/session.ts";
import { withAgent } from "../agent/agent.ts";
import { followConsole } from "./consoleLog.ts";
import { stageOfLine } from "./consoleStages.ts";
import { firstPace, hopefulPace, nextPace, patientPace } from "./pace.ts";
import { probe, type Probe } from "./probes.ts";

/** One boot to watch. */
export interface BootWatch extends SshTarget {
  readonly logPath: string;
  /** Where this boot begins in the console log, in bytes. */
  readonly logOffset: number;
  readonly agentSocket: string;
  /** From now on. */
  readonly timeoutMs: number;
  /** What is to be done by the agent once it answers, before anybody can log in. It tries for as long as the signal allows. */
  readonly onAgent?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** What is to be done by the connection that reached the guest. Nobody waits for it; the connection does. */
  readonly onReached?: ((session: SshSession) => Promise<void>) | undefined;
  /** When QEMU started, milliseconds since 1970; `atMs` counts from there, else from the call. */
  readonly startedAtMs?: number;
}

export interface StageReached {
  readonly stage: BootStage;
  readonly atMs: number;
}

export type BootOutcome =
  | {
      readonly kind: "ready";
      readonly stages: readonly StageReached[];
      readonly probes: readonly Probe[];
    }
  | {
      readonly kind: "timeout";
      readonly stage: BootStage;
      readonly stages: readonly StageReached[];
      readonly probes: readonly Probe[];
    };

/**
 * Follows one boot until the guest runs a command for us, or its time is up. Stages only go forward and are told once:
 * from the console, the agent and SSH, whichever knows first. The agent is optional, SSH is required (B12).
 * A slow, silent or broken guest is an outcome, not an error; throws only the signal's reason, at once.
 */
export async function watchBoot(
  watch: BootWatch,
  onStage: (stage: BootStage, atMs: number) => void,
  signal?: AbortSignal,
): Promise<BootOutcome> {
  signal?.throwIfAborted();
  const sight: Sight = {
    stages: createStages(watch.startedAtMs ?? Date.now(), onStage),
    clues: createClues(),
    agent: probe("agent", false, false, "The guest agent has not answered."),
  };
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, watch.timeoutMs);
  signal?.addEventListener("abort", end, { once: true });

  sight.stages.enter("firmware");
  const loops = [
    watchConsole(watch, sight, over.signal),
    watchAgent(watch, sight, over.signal),
    watchSsh(watch, sight, over.signal).then(end),
  ];
  try {
    // The console and the agent are witnesses only: when they fail, SSH still decides.
    await Promise.all(loops.map((loop) => loop.catch(() => undefined)));
    await untilAborted(over.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
  const { agent, ssh } = sight;
  const stages = sight.stages.reached();
  const stage = stages.at(-1)?.stage ?? "firmware";
  if (stage === "ready")
    return { kind: "ready", stages, probes: [...(ssh ? [ssh] : []), agent] };
  signal?.throwIfAborted();
  return {
    kind: "timeout",
    stage,
    stages,
    probes: [
      ssh ?? probe("ssh", true, false, "No SSH server has answered."),
      agent,
    ],
  };
}

/** What the three loops know together of one boot. */
interface Sight {
  readonly stages: Stages;
  readonly clues: Clues;
  agent: Probe;
  ssh?: Probe;
}

/** Stages only go forward, and each is told once. */
interface Stages {
  /** False where the boot is that far already. */
  enter(stage: BootStage): boolean;
  reached(): readonly StageReached[];
}

function createStages(
  startedAtMs: number,
  onStage: (stage: BootStage, atMs: number) => void,
): Stages {
  const stages: StageReached[] = [];
  return {
    enter: (stage) => {
      if (order(stage) <= order(stages.at(-1)?.stage)) return false;
      const atMs = Math.max(0, Date.now() - startedAtMs);
      stages.push({ stage, atMs });
      onStage(stage, atMs);
      return true;
    },
    reached: () => stages,
  };
}

const order = (stage: BootStage | undefined): number =>
  stage === undefined ? -1 : bootStages.indexOf(stage);

/** What console and agent tell the SSH loop. */
interface Clues {
  progress(): void;
  sshdStarted(): void;
  takeProgress(): boolean;
  readonly sshd: boolean;
}

function createClues(): Clues {
  let progressed = false;
  let sshd = false;
  return {
    progress: () => (progressed = true),
    sshdStarted: () => (sshd = true),
    takeProgress: () => {
      const taken = progressed;
      progressed = false;
      return taken;
    },
    get sshd() {
      return sshd;
    },
  };
}

function watchConsole(
  { logPath, logOffset }: BootWatch,
  { stages, clues }: Sight,
  signal: AbortSignal,
): Promise<void> {
  return followConsole(
    logPath,
    logOffset,
    (line) => {
      const stage = stageOfLine(line);
      // That sshd was started is a clue only: it is there when it has shown itself.
      if (stage === "sshd") clues.sshdStarted();
      else if (stage !== undefined && stages.enter(stage)) clues.progress();
    },
    signal,
  );
}

async function watchAgent(
  watch: BootWatch,
  sight: Sight,
  signal: AbortSignal,
): Promise<void> {
  await askAgent(watch.agentSocket, signal);
  sight.agent = probe("agent", false, true, "The guest agent answers.");
  sight.stages.enter("init");
  sight.clues.progress();
  await watch.onAgent?.(signal);
  sight.clues.progress();
}

async function watchSsh(
  watch: BootWatch,
  sight: Sight,
  signal: AbortSignal,
): Promise<void> {
  await reachSsh(watch, sight, signal);
  sight.ssh = probe("ssh", true, true, "The guest ran a command for us.");
  sight.stages.enter("ready");
}

const agentPauseMs = 700;

async function askAgent(socket: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await withAgent(
        socket,
        { timeoutMs: 1_000, tries: 1 },
        (agent) => agent.ping(signal),
        signal,
      );
      return;
    } catch {
      await sleep(agentPauseMs, signal);
    }
  }
}

async function reachSsh(
  watch: BootWatch,
  sight: Sight,
  signal: AbortSignal,
): Promise<void> {
  const { clues, stages } = sight;
  const fail = (detail: string): void => {
    sight.ssh = probe("ssh", true, false, detail);
  };
  let pace = firstPace;
  for (;;) {
    if (clues.takeProgress()) pace = hopefulPace(pace);
    if (clues.sshd) pace = patientPace(pace);
    const outcome = await openClient(
      watch,
      {
        bannerTimeoutMs: pace.bannerTimeoutMs,
        loginTimeoutMs: 60_000,
        onBanner: () => stages.enter("sshd"),
      },
      signal,
    );
    if (outcome.kind === "open") {
      const session = sessionOver(outcome.client);
      let lastWork: Promise<void> | undefined;
      try {
        // A no-op in every shell there is, that of Windows included.
        const { code } = await session.exec("exit 0", {}, signal);
        if (code === 0) {
          lastWork = watch.onReached?.(session);
          return;
        }
        fail(`A command of ours ended with ${String(code)} in the guest.`);
      } catch {
        fail("The connection broke while a command of ours ran.");
      } finally {
        void Promise.resolve(lastWork)
          .catch(() => undefined)
          .then(() => session.close());
      }
      await sleep(250, signal);
      continue;
    }
    fail(sentenceOf(outcome));
    pace = nextPace(pace, outcome);
    await sleep(pace.pauseMs, signal);
  }
}

/** What a failed try says about the guest. */
export function sentenceOf(failure: ConnectFailure): string {
  switch (failure.kind) {
    case "noBanner":
      return "The connection was accepted, but no SSH server identified itself.";
    case "broken":
      return failure.banner
        ? `The SSH server answered, then the connection broke: ${failure.detail}.`
        : `The guest refused the connection: ${failure.detail}.`;
    case "hostKeyMismatch":
      return `The guest showed another host key (${failure.shown}) than its own.`;
    case "loginRefused":
      return `The guest refused our key: ${failure.detail}.`;
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
