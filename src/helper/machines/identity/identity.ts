import { readFile } from "node:fs/promises";
import type { HandoffOutcome } from "../../guests/handoff/handoff.ts";
import type { HandoffIdentity } from "../../guests/handoff/message.ts";
import { applyToWindows } from "../../guests/handoff/windowsIdentity.ts";
import { ensureUserKey } from "../../ssh/keys.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineRecord } from "../../store/records.ts";
import type { Live } from "../roster/entry.ts";

/** The user whom our key lets in. */
export const userOf = async (
  { user }: MachineRecord,
  layout: Layout,
): Promise<NonNullable<HandoffIdentity["user"]>> => ({
  name: user,
  authorizedKeys: [(await ensureUserKey(layout.ssh)).publicKey],
});

/** The host key that is pinned for this machine. */
export const hostKeyOf = async (
  { id, hostPublicKey }: MachineRecord,
  layout: Layout,
): Promise<NonNullable<HandoffIdentity["hostKey"]>> => ({
  private: await readFile(layout.machine(id).hostKey, "utf8"),
  public: hostPublicKey,
});

/** PowerShell is started up to three times, and services again; the rest is for busy hosts. */
const windowsMs = { emulated: 300_000, accelerated: 60_000 };

/**
 * Makes a guest with Windows the machine that it is, by its agent. One that goes on as what it was needs only the time.
 * Its name, card and address stay those of the disk or memory that it came from.
 */
export async function giveWindowsIdentity(
  record: MachineRecord,
  live: Live,
  layout: Layout,
  signal: AbortSignal,
): Promise<HandoffOutcome> {
  const isItself = live.handles.way === "restored";
  const [user, hostKey] = await Promise.all([
    userOf(record, layout),
    hostKeyOf(record, layout),
  ]);
  const timeoutMs =
    live.handles.accelerator === "tcg"
      ? windowsMs.emulated
      : windowsMs.accelerated;
  return applyToWindows(
    layout.machine(record.id).agentSocket,
    isItself ? {} : { user, hostKey },
    { timeoutMs },
    signal,
  );
}

/** For the boot log and for diagnoses. */
export function sentenceOf(outcome: HandoffOutcome): string {
  switch (outcome.kind) {
    case "applied":
      return `the guest took on its identity in ${outcome.tookMs.toFixed(0)} ms${outcome.by === "agent" ? " (by its agent)" : ""}`;
    case "partly":
      return `the guest could not take on all of its identity: ${outcome.failed.map(({ what, why }) => `${what} (${why})`).join(", ")}`;
    case "refusedVersion":
      return `the guest's service is older than this Guesthouse (it speaks version ${String(outcome.supports ?? 0)})`;
    case "noAnswer":
      return `neither the guest's service nor its agent answered after the resume: ${outcome.why}`;
  }
}
