import { sleep } from "../../base/deadline.ts";
import { bootStages, type BootStage } from "../../protocol/machines.ts";
import { openClient, type ConnectFailure } from "../ssh/client.ts";
import { sessionOver, type SshSession } from "../ssh/session.ts";
import { withAgent } from "./agent.ts";
import { followConsole } from "./consoleLog.ts";
import { stageOfLine } from "./consoleStages.ts";
import { firstPace, hopefulPace, nextPace, patientPace } from "./pace.ts";
import { probe, type Probe } from "./probes.ts";

/** One boot to watch. */
export interface BootWatch {
  readonly logPath: string;
  /** Where this boot begins in the console log, in bytes. */
  readonly logOffset: number;
  readonly agentSocket: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH private key text. */
  readonly privateKey: string;
  /** Public key line that the guest must show. */
  readonly hostKey: string;
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
  const stages: StageReached[] = [];
  const startedAtMs = watch.startedAtMs ?? Date.now();
  const enter = (stage: BootStage): void => {
    if (order(stage) <= order(stages.at(-1)?.stage)) return;
    const atMs = Math.max(0, Date.now() - startedAtMs);
    stages.push({ stage, atMs });
    onStage(stage, atMs);
  };
  const clues = createClues();
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, watch.timeoutMs);
  signal?.addEventListener("abort", end, { once: true });
  let agent = probe("agent", false, false, "The guest agent has not answered.");
  let ssh: Probe | undefined;

  enter("firmware");
  const loops = [
    followConsole(
      watch.logPath,
      watch.logOffset,
      (line) => {
        const stage = stageOfLine(line);
        if (stage === "sshd") clues.sshdStarted();
        else if (
          stage !== undefined &&
          order(stage) > order(stages.at(-1)?.stage)
        ) {
          enter(stage);
          clues.progress();
        }
      },
      over.signal,
    ),
    askAgent(watch.agentSocket, over.signal).then(async () => {
      agent = probe("agent", false, true, "The guest agent answers.");
      enter("init");
      clues.progress();
      await watch.onAgent?.(over.signal);
      clues.progress();
    }),
    reachSsh(
      watch,
      clues,
      () => enter("sshd"),
      (failed) => (ssh = failed),
      over.signal,
    ).then(() => {
      ssh = probe("ssh", true, true, "The guest ran a command for us.");
      enter("ready");
      over.abort();
    }),
  ];
  try {
    // The console and the agent are witnesses only: when they fail, SSH still decides.
    await Promise.all(loops.map((loop) => loop.catch(() => undefined)));
    await untilAborted(over.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
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
  clues: Clues,
  onBanner: () => void,
  onFailure: (probe: Probe) => void,
  signal: AbortSignal,
): Promise<void> {
  let pace = firstPace;
  for (;;) {
    if (clues.takeProgress()) pace = hopefulPace(pace);
    if (clues.sshd) pace = patientPace(pace);
    const outcome = await openClient(
      watch,
      {
        bannerTimeoutMs: pace.bannerTimeoutMs,
        loginTimeoutMs: 60_000,
        onBanner,
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
        onFailure(
          probe(
            "ssh",
            true,
            false,
            `A command of ours ended with ${String(code)} in the guest.`,
          ),
        );
      } catch {
        onFailure(
          probe(
            "ssh",
            true,
            false,
            "The connection broke while a command of ours ran.",
          ),
        );
      } finally {
        void Promise.resolve(lastWork)
          .catch(() => undefined)
          .then(() => session.close());
      }
      await sleep(250, signal);
      continue;
    }
    onFailure(probe("ssh", true, false, sentenceOf(outcome)));
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
