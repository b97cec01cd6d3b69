import type { Log } from "../../base/log.ts";
import type { Machine } from "../../protocol/machines.ts";

/** Since when nobody is known to use a machine, by its id. */
export type IdleSince = ReadonlyMap<string, number>;

/**
 * One look at the machines: whom nobody uses counts from now, or from when that began; who is used, or does not run,
 * begins anew. Pure.
 */
export function lookAround(
  machines: readonly Machine[],
  isUsed: (machine: Machine) => boolean,
  before: IdleSince,
  now: number,
): Map<string, number> {
  return new Map(
    machines
      .filter((each) => each.state.kind === "running" && !isUsed(each))
      .map(({ id }) => [id, before.get(id) ?? now]),
  );
}

/** Minutes in `GUESTHOUSE_IDLE_STOP_MINUTES`; anything that is no positive number means never. Pure. */
export function idleMinutesFrom(text: string | undefined): number {
  const minutes = Number(text ?? 0);
  return Number.isFinite(minutes) && minutes > 0 ? minutes : 0;
}

export interface IdleSuspendDeps {
  readonly minutes: number;
  readonly machines: () => readonly Machine[];
  /** Names or aliases with ssh connections now. */
  readonly connected: () => Promise<ReadonlySet<string>>;
  /** Something of ours is done with it. */
  readonly isBusy: (id: string) => boolean;
  readonly suspend: (id: string) => Promise<void>;
  readonly log: Log;
}

const longestPauseMs = 30_000;

/**
 * Suspends machines that nobody was connected to for so long; the next connection brings them back where they were. Never
 * sooner than that after this helper began to look.
 */
export function keepIdleSuspended({
  minutes,
  machines,
  connected,
  isBusy,
  suspend,
  log,
}: IdleSuspendDeps): { watching(): boolean; close(): void } {
  if (minutes === 0) return { watching: () => false, close: () => undefined };
  const idleMs = minutes * 60_000;
  let since: IdleSince = new Map();
  const look = async (): Promise<void> => {
    const users = await connected();
    const isUsed = ({ id, name, alias }: Machine): boolean =>
      users.has(name) || users.has(alias) || users.has(id) || isBusy(id);
    const now = performance.now();
    since = lookAround(machines(), isUsed, since, now);
    for (const [id, began] of since) {
      if (now - began < idleMs) continue;
      // Somebody may have come while others were suspended.
      const still = await connected();
      const machine = machines().find((each) => each.id === id);
      if (machine === undefined || isBusy(id)) continue;
      if (still.has(machine.name) || still.has(machine.alias)) continue;
      log.info("suspended, since nobody was connected", { machine: id });
      await suspend(id);
    }
  };
  let timer: NodeJS.Timeout;
  let closed = false;
  const wait = (): void => {
    timer = setTimeout(
      () =>
        void look()
          .catch((error: unknown) =>
            log.warn("an idle machine can't be suspended", { error }),
          )
          .finally(() => {
            if (!closed) wait();
          }),
      Math.min(longestPauseMs, idleMs / 4),
    );
  };
  wait();
  return {
    watching: () => machines().some(({ state }) => state.kind === "running"),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
