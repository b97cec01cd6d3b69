/*
 * Keeps the shared folder of each running machine connected with this process: after a start, a resume and a renewal of
 * the helper, and again whenever the connection broke. Owns the SSH session and the mount of each. Keeps true: there is at
 * most one for a machine, it ends with the machine, and no machine is ever started for it. Called by the daemon.
 */
import { sleep } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import {
  cancelled,
  failed,
  type Failure,
  toFailure,
} from "../../../protocol/failure.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { connectSsh } from "../../ssh/session.ts";
import type { SshTarget } from "../../ssh/target.ts";
import { type MountedShare, mountShare, type ShareSpec } from "./mountShare.ts";

export interface SharesDeps {
  /** The guest's half. */
  readonly program: () => Promise<Buffer>;
  /** Of a guest that runs; undefined for another one, which is not started for it. */
  readonly target: (machine: string) => Promise<SshTarget | undefined>;
  /** What a machine is to have mounted. */
  readonly specOf: (machine: string) => ShareSpec | undefined;
  /** A mount has not come about, and is tried again; undefined: it has. */
  readonly onState: (machine: string, failure: Failure | undefined) => void;
  readonly log: Log;
}

interface Held {
  share: MountedShare | undefined;
  /** Settles with the first mount, or its failure. */
  mounting: Promise<void>;
  readonly controller: AbortController;
}

const firstPauseMs = 500;
const longestPauseMs = 15_000;
/** For which whoever opens a folder waits for its mount. */
const mountWaitMs = 10_000;

export class Shares {
  readonly #deps: SharesDeps;
  readonly #held = new Map<string, Held>();

  constructor(deps: SharesDeps) {
    this.#deps = deps;
  }

  /** Machines with a folder that is mounted, or being mounted. */
  get size(): number {
    return this.#held.size;
  }

  isMounted(machine: string): boolean {
    return this.#held.get(machine)?.share !== undefined;
  }

  /** Mounts what the machine is to have, if that is not done or under way. Throws as `mountShare` and `connectSsh` do. */
  async ensure(machine: string, signal: AbortSignal): Promise<void> {
    const held = this.#hold(machine);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(cancelled()), {
        once: true,
      });
    });
    aborted.catch(() => undefined);
    try {
      await Promise.race([held.mounting, aborted]);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      throw failed(
        "workspaces.shareFailed",
        "The folder could not be mounted, as its VM does not run any more.",
        { remedy: "Bring the folder up again.", actions: ["retry"] },
      );
    }
  }

  /** Waits a little for a mount that is under way, so that whoever opens the folder doesn't find it empty. Never throws. */
  async awaitMount(id: string, signal: AbortSignal): Promise<void> {
    if (this.isMounted(id) || this.#deps.specOf(id) === undefined) return;
    const within = AbortSignal.any([signal, AbortSignal.timeout(mountWaitMs)]);
    await this.ensure(id, within).catch(() => undefined);
  }

  /** Something is news of this machine. */
  changed({ id, state }: Pick<Machine, "id" | "state">): void {
    if (state.kind !== "running" || this.#held.has(id)) return;
    if (this.#deps.specOf(id) === undefined) return;
    this.#hold(id);
  }

  async close(): Promise<void> {
    const all = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(
      all.map(async ({ controller, share }) => {
        controller.abort();
        await share?.close();
      }),
    );
  }

  #hold(machine: string): Held {
    const known = this.#held.get(machine);
    if (known !== undefined) return known;
    const controller = new AbortController();
    const held: Held = {
      share: undefined,
      mounting: Promise.resolve(),
      controller,
    };
    held.mounting = this.#mount(machine, held);
    held.mounting.catch(() => undefined);
    this.#held.set(machine, held);
    void this.#keep(machine, held).finally(() => {
      if (this.#held.get(machine) === held) this.#held.delete(machine);
    });
    return held;
  }

  async #mount(machine: string, held: Held): Promise<void> {
    const { signal } = held.controller;
    const spec = this.#deps.specOf(machine);
    const target = await this.#deps.target(machine);
    if (spec === undefined || target === undefined) throw new Ended();
    const session = await connectSsh(target, {}, signal);
    try {
      const program = await this.#deps.program();
      const share = await mountShare(session, spec, program, signal);
      held.share = share;
      const close = (): void => session.close();
      share.ended.then(close, close);
    } catch (error) {
      session.close();
      throw error;
    }
    this.#deps.onState(machine, undefined);
  }

  /** Until the machine ends, or this helper. */
  async #keep(machine: string, held: Held): Promise<void> {
    const { log, onState } = this.#deps;
    const { signal } = held.controller;
    let pauseMs = firstPauseMs;
    for (;;) {
      try {
        await held.mounting;
        pauseMs = firstPauseMs;
        await held.share?.ended;
        log.info("a shared folder's connection has ended", { machine });
      } catch (error) {
        if (signal.aborted || error instanceof Ended) return;
        log.info("a folder can't be mounted", { machine, error });
        onState(machine, toFailure(error));
      }
      held.share = undefined;
      await sleep(pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      held.mounting = this.#mount(machine, held);
      held.mounting.catch(() => undefined);
    }
  }
}

/** The machine doesn't run any more, or has nothing to mount. */
class Ended extends Error {}
