import { faultPoint } from "../../../base/faultPoint.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import type { Diagnosis } from "../../../protocol/machines.ts";
import {
  applyByAgent,
  openHandoff,
  type HandoffOutcome,
} from "../../guests/handoff/handoff.ts";
import type { HandoffIdentity } from "../../guests/handoff/message.ts";
import { gatewayAddress, prefixLength } from "../../networks/guestNetwork.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import { mark } from "../roster/bootLog.ts";
import type { Entry, Live } from "../roster/entry.ts";
import {
  hostKeyOf,
  sentenceOf,
  giveWindowsIdentity,
  userOf,
} from "../identity/identity.ts";
import { type BootDeps, enterStage } from "../boot/followBoot.ts";

/** From the guest's first instruction to its word that it is itself: 0.15 s emulated and idle; the rest is for busy hosts. */
const acknowledgementMs = { emulated: 15_000, accelerated: 5_000 };
const agentMs = 20_000;

export type Resumed =
  | { readonly kind: "ready" }
  /** It is itself, but nothing listens for SSH yet. */
  | { readonly kind: "withoutSshd" }
  | { readonly kind: "failed"; readonly outcome: HandoffOutcome };

/** A guest that stands there paused, its state loaded, and what of its machine it has to do with. */
export interface PausedGuest {
  readonly record: MachineRecord;
  readonly live: Live;
  readonly layout: Layout;
  /** QEMU lets it go on: from now on only its word counts. */
  readonly onContinued: () => void;
}

/**
 * Lets a guest whose state was loaded go on, as the machine it now is; only its acknowledgement counts (B38).
 */
export async function resumeGuest(
  entry: Entry,
  live: Live,
  deps: BootDeps,
  signal: AbortSignal,
): Promise<Resumed> {
  const { record } = entry;
  const { layout } = deps;
  const onContinued = (): void => {
    faultPoint("clone.continued", live.handles.pid);
    void enterStage(entry, live, deps, "resume");
  };
  const outcome = await handoffTo[record.os](
    { record, live, layout, onContinued },
    signal,
  );
  deps.log.with({ machine: record.id }).info("handoff", { outcome });
  await mark(layout.machine(record.id).log, sentenceOf(outcome)).catch(
    () => undefined,
  );
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

type HandoffTo = (
  guest: PausedGuest,
  signal: AbortSignal,
) => Promise<HandoffOutcome>;

/** How a guest learns at its resume which machine it is, by what runs in it. */
const handoffTo: Readonly<Record<GuestSystem, HandoffTo>> = {
  linux: async (guest, signal) =>
    handOff(await identityOf(guest), guest, signal),
  windows: async ({ record, live, layout, onContinued }, signal) => {
    await live.qmp?.execute("cont");
    onContinued();
    return giveWindowsIdentity(record, live, layout, signal);
  },
};

/**
 * Lets a paused guest go on with an identity, and waits for its acknowledgement. The message is queued before its first
 * instruction. Without an acknowledgement in time the guest agent is asked to run the same service once (B37).
 */
export async function handOff(
  identity: HandoffIdentity,
  { record, live, layout, onContinued }: PausedGuest,
  signal: AbortSignal,
): Promise<HandoffOutcome> {
  const files = layout.machine(record.id);
  const handoff = await openHandoff(files.handoff);
  try {
    const message = handoff.send(identity);
    await live.qmp?.execute("cont");
    onContinued();
    const timeoutMs =
      live.handles.accelerator === "tcg"
        ? acknowledgementMs.emulated
        : acknowledgementMs.accelerated;
    const outcome = await handoff.awaitOutcome({ timeoutMs }, signal);
    if (outcome.kind !== "noAnswer") return outcome;
    return await applyByAgent(
      files.agentSocket,
      message,
      { timeoutMs: agentMs },
      signal,
    );
  } finally {
    handoff.close();
  }
}

/** Everything that makes it itself; one that goes on as what it was needs only the time and fresh randomness. */
async function identityOf({
  record,
  live,
  layout,
}: PausedGuest): Promise<HandoffIdentity> {
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

/** A guest that goes on as somebody else, or as nobody knows who. */
export const resumeDiagnosis = (why: string, live: Live): Diagnosis => ({
  hint: `${why.replace(/\.$/, "")}. Restart the machine: it then boots from its disk as itself.`,
  cause: "handoffFailed",
  stage: "resume",
  waitedMs: Date.now() - live.handles.startedAtMs,
  runState: "running",
  addresses: [],
  probes: [],
  consoleTail: [],
});
