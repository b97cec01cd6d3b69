import type { SshTarget } from "../../ssh/target.ts";
import { given } from "../../../base/given.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import type { BootStage, Diagnosis } from "../../../protocol/machines.ts";
import { toFailure } from "../../../protocol/failure.ts";
import { openClient } from "../../ssh/client.ts";
import { shellCommand } from "../../ssh/quote.ts";
import { sessionOver, type SshSession } from "../../ssh/session.ts";
import type { GuestInterface } from "../agent/agent.ts";
import {
  askCloudInit,
  type CloudInitReport,
  type RunInGuest,
} from "./cloudInit.ts";
import { consoleTail } from "../boot/consoleLog.ts";
import { explain, type Facts } from "./explain.ts";
import { explainWindows, markerPath } from "./explainWindows.ts";
import { type GuestOperations, withGuest } from "../programs/operations.ts";
import { probe, type Probe } from "../boot/probes.ts";
import { sentenceOf } from "../boot/readiness.ts";

export interface DiagnosisSubject extends SshTarget {
  /** What its image is known as; default Linux. */
  readonly os?: GuestSystem;
  /** The furthest stage seen. */
  readonly stage: BootStage;
  readonly waitedMs: number;
  readonly runState: string;
  /** See `Facts`. */
  readonly networkGone?: boolean | undefined;
  /** Frames across the network card as QEMU counts them; absent where it can't. */
  readonly counters?:
    | {
        readonly driver: boolean;
        readonly sentFrames: number;
        readonly receivedFrames: number;
      }
    | undefined;
  readonly logPath: string;
  readonly logOffset: number;
  readonly agentSocket: string;
}

const shownLines = 25;

const explainers = { linux: explain, windows: explainWindows } as const;

/**
 * Asks everybody who may know: console, agent, SSH, QEMU's counters; then names the likely cause (B8, B10, B12).
 * A guest that answers nothing is described, not thrown; takes some ten seconds at most. Throws only the signal's reason.
 */
export async function diagnose(
  subject: DiagnosisSubject,
  signal?: AbortSignal,
): Promise<Diagnosis> {
  const running = subject.runState === "running";
  const [tail, agent, ssh] = await Promise.all([
    consoleTail(subject.logPath, subject.logOffset),
    running ? askAgent(subject, signal) : undefined,
    running ? askSsh(subject, signal) : undefined,
  ]);
  signal?.throwIfAborted();
  const cloudInit = agent?.cloudInit ?? ssh?.cloudInit;
  const addresses = agent?.interfaces?.flatMap((one) =>
    one.addresses.filter(isGlobal),
  );
  const facts: Facts = {
    stage: subject.stage,
    waitedMs: subject.waitedMs,
    runState: subject.runState,
    networkGone: subject.networkGone,
    consoleLines: tail.lines,
    consoleQuietMs: tail.quietMs,
    frames:
      subject.counters === undefined
        ? undefined
        : {
            driver: subject.counters.driver,
            sent: subject.counters.sentFrames,
            received: subject.counters.receivedFrames,
          },
    agentAnswers: agent !== undefined,
    addresses: addresses ?? consoleAddresses(tail.lines),
    login: ssh?.login ?? "noBanner",
    cloudInit,
    prepared: agent?.prepared,
  };
  return {
    ...explainers[subject.os ?? "linux"](facts),
    stage: subject.stage,
    waitedMs: subject.waitedMs,
    runState: subject.runState,
    ...given({ network: subject.counters }),
    addresses: [...(facts.addresses ?? [])],
    ...given({ cloudInit }),
    probes: [
      ...networkProbes(facts),
      ssh?.probe ??
        probe("ssh", true, false, "Not asked: QEMU does not run the guest."),
      probe(
        "agent",
        false,
        agent !== undefined,
        agent === undefined
          ? "The guest agent does not answer."
          : "The guest agent answers.",
      ),
    ],
    consoleTail: tail.lines.slice(-shownLines),
  };
}

function networkProbes({ frames, addresses }: Facts): Probe[] {
  const probes: Probe[] = [];
  if (frames !== undefined) {
    probes.push(
      probe(
        "network.driver",
        true,
        frames.driver,
        frames.driver
          ? "The guest drives its network card."
          : "No driver in the guest has taken the network card.",
      ),
      probe(
        "network.sent",
        true,
        frames.sent > 0,
        `The guest sent ${String(frames.sent)} frames.`,
      ),
      probe(
        "network.received",
        true,
        frames.received > 0,
        `The guest received ${String(frames.received)} frames.`,
      ),
    );
  }
  if (addresses !== undefined)
    probes.push(
      probe(
        "network.address",
        true,
        addresses.length > 0,
        addresses.length > 0
          ? `It has ${addresses.join(", ")}.`
          : "It has no address.",
      ),
    );
  return probes;
}

/** Neither loopback nor what a guest without a lease gives itself (RFC 3927, RFC 4291). */
const isGlobal = (address: string): boolean =>
  !/^(127\.|169\.254\.|::1\/|fe80:)/i.test(address);

/** cloud-init prints a table of addresses on the console, often before the lease: an empty one says nothing. */
function consoleAddresses(lines: readonly string[]): string[] | undefined {
  const rows = lines.flatMap((line) => {
    const row = /ci-info: \| +(\S+) +\| +(True|False) +\| +(\S+) +\|/.exec(
      line,
    );
    return row === null ? [] : [{ name: row[1], address: row[3] ?? "." }];
  });
  const found = rows
    .filter(
      ({ name, address }) => name !== "lo" && /^[\d.]{7,}$|:.*:/.test(address),
    )
    .map(({ address }) => address)
    .filter(isGlobal);
  return found.length === 0 ? undefined : found;
}

interface AgentAnswer {
  readonly interfaces?: GuestInterface[] | undefined;
  readonly cloudInit?: CloudInitReport | undefined;
  readonly prepared?: boolean | undefined;
}

/** What else the inside knows of its own making, by what runs there. */
const makingOf: Readonly<
  Record<
    GuestSystem,
    (guest: GuestOperations, signal?: AbortSignal) => Promise<AgentAnswer>
  >
> = {
  linux: async (guest, signal) => {
    const run: RunInGuest = (argv) =>
      guest.exec(argv, { timeoutMs: 6_000 }, signal);
    // An agent may forbid exec: that is its right, and no sign of trouble.
    return { cloudInit: await askCloudInit(run, signal).catch(ignore) };
  },
  windows: async (guest, signal) => ({
    prepared: await guest.readFile(markerPath, signal).then(
      () => true,
      // Only the agent's own word says that it isn't there.
      (error: unknown) =>
        toFailure(error).kind === "refused" ? false : undefined,
    ),
  }),
};

async function askAgent(
  { agentSocket, os = "linux" }: Pick<DiagnosisSubject, "agentSocket" | "os">,
  signal?: AbortSignal,
): Promise<AgentAnswer | undefined> {
  try {
    return await withGuest(
      agentSocket,
      { expected: os, timeoutMs: 4_000 },
      async (guest) => {
        return {
          interfaces: await guest.networkInterfaces(signal).catch(ignore),
          ...(await makingOf[os](guest, signal)),
        };
      },
      signal,
    );
  } catch {
    return undefined;
  }
}

interface SshAnswer {
  readonly login: Facts["login"];
  readonly probe: Probe;
  readonly cloudInit?: CloudInitReport | undefined;
}

async function askSsh(
  subject: DiagnosisSubject,
  signal?: AbortSignal,
): Promise<SshAnswer> {
  const outcome = await openClient(
    subject,
    { bannerTimeoutMs: 5_000, loginTimeoutMs: 15_000 },
    signal,
  );
  if (outcome.kind !== "open")
    return {
      login: outcome.kind,
      probe: probe("ssh", true, false, sentenceOf(outcome)),
    };
  const session = sessionOver(outcome.client);
  try {
    return {
      login: "ok",
      probe: probe("ssh", true, true, "The guest accepts our login."),
      cloudInit: await askCloudInit(asRoot(session), signal).catch(ignore),
    };
  } finally {
    session.close();
  }
}

const asRoot =
  (session: SshSession): RunInGuest =>
  (argv, signal) =>
    session.exec(shellCommand(["sudo", "-n", ...argv]), {}, signal);

const ignore = (): undefined => undefined;
