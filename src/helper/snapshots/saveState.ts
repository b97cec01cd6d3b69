import * as z from "zod";
import { promiseWithResolvers, sleep } from "../../base/deadline.ts";
import type { Disposer } from "../../base/disposables.ts";
import { failed } from "../../protocol/failure.ts";
import type { Qmp } from "../qemu/qmp.ts";

/** https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html#enum-QMP-migration.MigrationStatus */
const ended = ["completed", "failed", "cancelled"] as const;

/** An outgoing migration of one QEMU, followed by its events. */
export interface Migration {
  /** Resolves when QEMU has reached `status`; rejects when it has ended otherwise, or QEMU itself has. */
  reached(status: "pre-switchover" | "completed"): Promise<void>;
  /** Milliseconds since 1970, by QEMU's word, of the guest's last stop and of its going on. */
  readonly stoppedAtMs: () => number | undefined;
  readonly resumedAtMs: () => number | undefined;
  /** How often the memory was gone through. */
  readonly passes: () => number;
  /** Ends it and waits until QEMU has; afterwards QEMU lets a guest that ran go on by itself. */
  cancel(): Promise<void>;
  readonly close: Disposer;
}

type Settings = Readonly<Record<"max-bandwidth" | "downtime-limit", number>>;

/** As much as the socket takes: the default is a network's 128 MiB a second. */
const unlimitedBytesPerSecond = 64 * 1024 ** 3;
/** QEMU takes no more than 2,000 s. */
const anyDowntimeMs = 2_000_000;

/** Prepares QEMU to send its state and to halt with the guest stopped before it sends the last of it. */
export async function prepareMigration(
  qmp: Qmp,
  downtimeMs: number,
): Promise<Settings> {
  const before = z
    .object({ "max-bandwidth": z.number(), "downtime-limit": z.number() })
    .parse(await qmp.execute("query-migrate-parameters"));
  await setCapabilities(qmp, true);
  await qmp.execute("migrate-set-parameters", {
    "max-bandwidth": unlimitedBytesPerSecond,
    "downtime-limit": downtimeMs,
  });
  return {
    "max-bandwidth": before["max-bandwidth"],
    "downtime-limit": before["downtime-limit"],
  };
}

export async function resetMigration(
  qmp: Qmp,
  before: Settings | undefined,
): Promise<void> {
  if (before !== undefined)
    await qmp.execute("migrate-set-parameters", { ...before });
  await setCapabilities(qmp, false);
}

const setCapabilities = (qmp: Qmp, state: boolean): Promise<unknown> =>
  qmp.execute("migrate-set-capabilities", {
    capabilities: [
      { capability: "pause-before-switchover", state },
      { capability: "events", state },
    ],
  });

/** However much is left to send: stop the guest now. */
export const stopSoon = (qmp: Qmp): Promise<unknown> =>
  qmp.execute("migrate-set-parameters", { "downtime-limit": anyDowntimeMs });

/** Begins to send to a unix socket that is listened at. */
export async function startMigration(
  qmp: Qmp,
  socketPath: string,
): Promise<Migration> {
  const seen = new Set<string>();
  const waiting = new Map<string, ReturnType<typeof promiseWithResolvers>>();
  let stoppedAtMs: number | undefined;
  let resumedAtMs: number | undefined;
  let passes = 0;

  const wake = (): void => {
    const end = ended.find((status) => seen.has(status));
    for (const [status, { resolve, reject }] of waiting) {
      if (seen.has(status)) resolve(undefined);
      else if (end !== undefined) reject(notSaved(end));
    }
  };
  const forget = qmp.onEvent(({ event, data, atMs }) => {
    if (event === "STOP") stoppedAtMs = atMs;
    if (event === "RESUME") resumedAtMs = atMs;
    if (event === "MIGRATION_PASS") passes = Number(data["pass"]);
    if (event !== "MIGRATION") return;
    seen.add(String(data["status"]));
    wake();
  });
  void qmp.closed.then(() => {
    seen.add("failed");
    wake();
  });
  const reached = async (status: string): Promise<void> => {
    const answer = waiting.get(status) ?? promiseWithResolvers();
    waiting.set(status, answer);
    wake();
    await answer.promise;
  };
  try {
    await qmp.execute("migrate", { uri: `unix:${socketPath}` });
  } catch (error) {
    void forget();
    throw error;
  }
  return {
    reached,
    stoppedAtMs: () => stoppedAtMs,
    resumedAtMs: () => resumedAtMs,
    passes: () => passes,
    async cancel() {
      if (ended.some((status) => seen.has(status))) return;
      await qmp.execute("migrate_cancel");
      await reached("cancelled").catch(() => undefined);
    },
    close: forget,
  };
}

const notSaved = (how: string): Error =>
  failed(
    "machines.captureFailed",
    `QEMU did not save the machine's memory: its migration ended as “${how}”.`,
    {
      remedy:
        "The machine goes on as before. Try again, and look into the helper's log if it fails again.",
      actions: ["retry"],
    },
  );

const statusSchema = z.object({ status: z.string() });

/** QEMU's name for what the guest does: `running`, `paused`, `postmigrate`, … */
export async function runState(qmp: Qmp): Promise<string> {
  return statusSchema.parse(await qmp.execute("query-status")).status;
}

/**
 * Ends a migration that was left by somebody, waiting halted or done, and puts the guest to what it did before.
 * Afterwards the disks, which QEMU gives up with the end of a migration, are its own again.
 */
export async function putBack(qmp: Qmp, ran: boolean): Promise<void> {
  const { status } = z
    .object({ status: z.string().default("none") })
    .parse(await qmp.execute("query-migrate"));
  if (["setup", "active", "pre-switchover", "device"].includes(status)) {
    await qmp.execute("migrate_cancel");
    await untilEnded(qmp);
  }
  const now = await atRest(qmp);
  if (now === (ran ? "running" : "paused")) return;
  if (endedStates.includes(now)) return;
  await qmp.execute("cont");
  if (!ran) await qmp.execute("stop");
}

/** Where `cont` does nothing good; at `io-error` the guest waits for room on the host's disk, and its user for that. */
const endedStates = [
  "shutdown",
  "internal-error",
  "guest-panicked",
  "io-error",
];

/** QEMU tells of a migration's end a moment before it lets the guest go on. */
async function atRest(qmp: Qmp): Promise<string> {
  for (;;) {
    const now = await runState(qmp);
    if (now !== "finish-migrate") return now;
    await sleep(2);
  }
}

async function untilEnded(qmp: Qmp): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const { status } = statusSchema.parse(await qmp.execute("query-migrate"));
    if (ended.some((end) => end === status)) return;
    if (Date.now() > deadlineMs) throw notSaved(status);
    await sleep(10);
  }
}
