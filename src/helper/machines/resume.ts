import { faultPoint } from "../../base/faultPoint.ts";
import type { Log } from "../../base/log.ts";
import type { GuestSystem } from "../../protocol/images.ts";
import type { Diagnosis } from "../../protocol/machines.ts";
import {
  applyByAgent,
  openHandoff,
  type Handoff,
  type HandoffOutcome,
} from "../guests/handoff.ts";
import type {
  HandoffIdentity,
  HandoffMessage,
} from "../guests/handoffMessage.ts";
import { gatewayAddress, prefixLength } from "../networks/guestNetwork.ts";
import type { Layout, MachineFiles } from "../store/layout.ts";
import type { MachineRecord } from "../store/records.ts";
import { mark } from "./bootLog.ts";
import type { Entry, Live } from "./entry.ts";
import { hostKeyOf, sentenceOf, tellWindows, userOf } from "./identity.ts";
import type { ReachDeps } from "./reach.ts";
import { enterStage } from "./reach.ts";

export interface ResumeDeps extends ReachDeps {
  readonly layout: Layout;
  readonly log: Log;
}

/** From the guest's first instruction to its word that it is itself: 0.15 s emulated and idle; the rest is for busy hosts. */
const acknowledgementMs = { emulated: 15_000, accelerated: 5_000 };
const agentMs = 20_000;

export type Resumed =
  | { readonly kind: "ready" }
  /** It is itself, but nothing listens for SSH yet. */
  | { readonly kind: "withoutSshd" }
  | { readonly kind: "failed"; readonly outcome: HandoffOutcome };

/**
 * Lets a guest whose state was loaded go on, as the machine it now is; only its acknowledgement counts (B38).
 */
export async function resumeGuest(
  entry: Entry,
  live: Live,
  deps: ResumeDeps,
  signal: AbortSignal,
): Promise<Resumed> {
  const files = deps.layout.machine(entry.record.id);
  const outcome = await become[entry.record.os](
    entry.record,
    live,
    deps.layout,
    () => {
      faultPoint("clone.continued", live.handles.pid);
      void enterStage(entry, live, deps, "resume");
    },
    signal,
  );
  await tell(outcome, files, deps.log.with({ machine: entry.record.id }));
  switch (outcome.kind) {
    case "applied":
      await enterStage(entry, live, deps, "handoff");
      return { kind: outcome.sshd ? "ready" : "withoutSshd" };
    case "partly":
    case "refusedVersion":
    case "noAnswer":
      return { kind: "failed", outcome };
  }
}

type Become = (
  record: MachineRecord,
  live: Live,
  layout: Layout,
  onContinued: () => void,
  signal: AbortSignal,
) => Promise<HandoffOutcome>;

/** How a guest goes on as itself, by what runs in it. */
const become: Readonly<Record<GuestSystem, Become>> = {
  linux: async (record, live, layout, onContinued, signal) =>
    handOver(
      await identityOf(record, live, layout),
      live,
      layout.machine(record.id),
      onContinued,
      signal,
    ),
  windows: async (record, live, layout, onContinued, signal) => {
    await live.qmp?.execute("cont");
    onContinued();
    return tellWindows(record, live, layout, signal);
  },
};

/**
 * Lets a paused guest go on with an identity, and waits for its word. The message is queued before its first instruction.
 * Without an acknowledgement in time the guest agent is asked to run the same service once (B37).
 */
export async function handOver(
  identity: HandoffIdentity,
  live: Live,
  files: MachineFiles,
  onContinued: () => void,
  signal: AbortSignal,
): Promise<HandoffOutcome> {
  const handoff = await openHandoff(files.handoff);
  try {
    const message = handoff.prepare(identity);
    await live.qmp?.execute("cont");
    onContinued();
    return await acknowledged(handoff, live, files, message, signal);
  } finally {
    handoff.close();
  }
}

async function acknowledged(
  handoff: Handoff,
  live: Live,
  files: MachineFiles,
  message: HandoffMessage,
  signal: AbortSignal,
): Promise<HandoffOutcome> {
  const timeoutMs =
    live.handles.accelerator === "tcg"
      ? acknowledgementMs.emulated
      : acknowledgementMs.accelerated;
  const outcome = await handoff.complete({ timeoutMs }, signal);
  if (outcome.kind !== "noAnswer") return outcome;
  return applyByAgent(
    files.agentSocket,
    message,
    { timeoutMs: agentMs },
    signal,
  );
}

/** Everything that makes it itself; one that goes on as what it was needs only the time and fresh randomness. */
async function identityOf(
  record: MachineRecord,
  live: Live,
  layout: Layout,
): Promise<HandoffIdentity> {
  if (live.handles.way === "restored") return {};
  const hostname = record.name;
  if (live.pooled === true)
    return { hostname, user: await userOf(record, layout) };
  return { hostname, ...(await namelessIdentity(record, layout)) };
}

/** What a guest can be told before anybody knows its name. */
export async function namelessIdentity(
  record: MachineRecord,
  layout: Layout,
): Promise<HandoffIdentity> {
  const [hostKey, user] = await Promise.all([
    hostKeyOf(record, layout),
    userOf(record, layout),
  ]);
  return {
    machineId: record.uuid.replaceAll("-", ""),
    network: {
      mac: record.macAddress,
      address: `${record.guestAddress}/${String(prefixLength)}`,
      gateway: gatewayAddress,
    },
    user,
    hostKey,
  };
}

async function tell(
  outcome: HandoffOutcome,
  files: MachineFiles,
  log: Log,
): Promise<void> {
  log.info("handoff", { outcome });
  await mark(files.log, sentenceOf(outcome)).catch(() => undefined);
}

/** A guest that goes on as somebody else, or as nobody knows who. */
export const comeBackDiagnosis = (why: string, live: Live): Diagnosis => ({
  hint: `${why.replace(/\.$/, "")}. Restart the machine: it then boots from its disk as itself.`,
  cause: "handoffFailed",
  stage: "resume",
  waitedMs: Date.now() - live.handles.startedAtMs,
  runState: "running",
  addresses: [],
  probes: [],
  consoleTail: [],
});
