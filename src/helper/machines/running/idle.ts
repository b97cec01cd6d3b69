/*
 * Looks for running machines that nobody is connected to any more, and has them suspended, stopped or deleted as their
 * owner wants. Owns one timer, until it is closed. Made once by the daemon.
 */
import { vmAliasOf } from "../../../protocol/vmAlias.ts";
import { readVariable } from "../../../base/environmentVariables.ts";
import type { Log } from "../../../base/log.ts";
import type { Machine } from "../../../protocol/machines.ts";

/** What a machine's owner wants once its last connection has ended. */
export type AfterUse = "stop" | "delete";
export type IdleAct = "suspend" | AfterUse;

export interface IdleRules {
  /** Suspend after so long without connections; 0: never. */
  readonly suspendAfterMs: number;
  /** Time to come back, as a window does that is loaded anew, before `AfterUse`. */
  readonly graceMs: number;
}

/** From the environment; anything that is no positive number means never. Pure. */
export function idleRulesFrom(env: NodeJS.ProcessEnv): IdleRules {
  const positive = (text: string | undefined): number | undefined => {
    const number = Number(text ?? 0);
    return Number.isFinite(number) && number > 0 ? number : undefined;
  };
  const minutes =
    positive(readVariable("GUESTHOUSE_IDLE_STOP_MINUTES", env)) ?? 0;
  const grace = positive(readVariable("GUESTHOUSE_GRACE_SECONDS", env)) ?? 60;
  return { suspendAfterMs: minutes * 60_000, graceMs: grace * 1000 };
}

/**
 * What is to be done with a running machine that nobody uses. What its owner wants counts from its last connection on, so
 * one that nobody was connected to yet is not taken away before anybody comes. Pure.
 */
export function idleAct(
  idleForMs: number,
  wasUsed: boolean,
  afterUse: AfterUse | undefined,
  { suspendAfterMs, graceMs }: IdleRules,
): IdleAct | undefined {
  if (afterUse !== undefined && wasUsed && idleForMs >= graceMs)
    return afterUse;
  return suspendAfterMs > 0 && idleForMs >= suspendAfterMs
    ? "suspend"
    : undefined;
}

export interface IdleDeps {
  readonly rules: IdleRules;
  /** Asked for often, whatever is there. */
  readonly running: () => readonly Machine[];
  /** Names or aliases with ssh connections now. */
  readonly connected: () => Promise<ReadonlySet<string>>;
  /** Something of ours is done with it. */
  readonly isBusy: (id: string) => boolean;
  readonly afterUse: (id: string) => AfterUse | undefined;
  readonly act: (id: string, act: IdleAct) => Promise<void>;
  readonly log: Log;
}

const longestPauseMs = 15_000;

export interface IdleWatch {
  /** A machine runs that may have to be ended later. */
  watching(): boolean;
  close(): void;
}

/**
 * Looks again and again for running machines that nobody is connected to. Times count from when this helper began to
 * look: a new helper is never too quick.
 */
export function watchIdle(deps: IdleDeps): IdleWatch {
  const { rules, running, isBusy, log } = deps;
  const since = new Map<string, number>();
  const used = new Set<string>();
  const isWatched = ({ id }: Machine): boolean =>
    rules.suspendAfterMs > 0 || deps.afterUse(id) !== undefined;

  const look = async (): Promise<void> => {
    const watched = running().filter(isWatched);
    const ids = new Set(watched.map(({ id }) => id));
    for (const id of since.keys()) if (!ids.has(id)) since.delete(id);
    for (const id of used) if (!ids.has(id)) used.delete(id);
    for (const { id, name, alias } of watched) {
      // Asked for each: somebody may have come while another one was suspended.
      const users = await deps.connected();
      const now = performance.now();
      const isUsed = [name, alias, vmAliasOf(alias), id].some((each) =>
        users.has(each),
      );
      if (isUsed) used.add(id);
      if (isUsed || isBusy(id)) {
        since.delete(id);
        continue;
      }
      const began = since.get(id) ?? now;
      since.set(id, began);
      const afterUse = deps.afterUse(id);
      const act = idleAct(now - began, used.has(id), afterUse, rules);
      if (act === undefined) continue;
      log.info("nobody is connected any more", { machine: id, act });
      since.delete(id);
      used.delete(id);
      await deps
        .act(id, act)
        .catch((error: unknown) =>
          log.warn("an idle machine can't be ended", { machine: id, error }),
        );
    }
  };

  const { suspendAfterMs, graceMs } = rules;
  const pauseMs = Math.min(
    longestPauseMs,
    graceMs / 4,
    suspendAfterMs === 0 ? Infinity : suspendAfterMs / 4,
  );
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const wait = (): void => {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) =>
          log.warn("connections can't be counted", { error }),
        )
        .finally(() => {
          if (!closed) wait();
        });
    }, pauseMs);
  };
  wait();
  return {
    watching: () => running().some(isWatched),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
