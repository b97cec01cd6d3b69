/*
 * Keeps the shared folders of each running machine connected with this process: after a start, a resume and a renewal of
 * the helper, and again whenever a connection broke. Owns the SSH session and the mount of each. Keeps true: there is at
 * most one for a place in a machine, it ends with the machine, and no machine is ever started for it. Called by the daemon.
 */
import { abortAfter, sleep } from "../../../base/deadline.ts";
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
  readonly specsOf: (machine: string) => readonly ShareSpec[];
  /** A mount has not come about, and is tried again; undefined: all of the machine's have. */
  readonly onState: (machine: string, failure: Failure | undefined) => void;
  readonly log: Log;
}

/** One mount of one machine. */
interface Held {
  readonly machine: string;
  readonly target: string;
  share: MountedShare | undefined;
  /** Why it isn't mounted, since the last try. */
  failure: Failure | undefined;
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
  readonly #held = new Set<Held>();

  constructor(deps: SharesDeps) {
    this.#deps = deps;
  }

  /** Folders that are mounted, or being mounted. */
  get size(): number {
    return this.#held.size;
  }

  /** Is all mounted that the machine is to have? */
  isMounted(machine: string): boolean {
    return this.#deps
      .specsOf(machine)
      .every(({ target }) => this.#find(machine, target)?.share !== undefined);
  }

  /** Where the machine is to have folders mounted. */
  targetsOf(machine: string): string[] {
    return this.#deps.specsOf(machine).map(({ target }) => target);
  }

  /** Mounts what the machine is to have, if that is not done or under way. Throws as `mountShare` and `connectSsh` do. */
  async ensure(machine: string, signal: AbortSignal): Promise<void> {
    const mounts = this.#holdAll(machine).map(({ mounting }) => mounting);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(cancelled()), {
        once: true,
      });
    });
    aborted.catch(() => undefined);
    try {
      await Promise.race([Promise.all(mounts), aborted]);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      throw failed(
        "workspaces.shareFailed",
        "The folder could not be mounted, as its VM does not run any more.",
        { remedy: "Bring the folder up again.", actions: ["retry"] },
      );
    }
  }

  /** Waits a little for mounts that are under way, so that whoever opens a folder doesn't find it empty. Never throws. */
  async awaitMount(id: string, signal: AbortSignal): Promise<void> {
    if (this.isMounted(id)) return;
    const within = abortAfter(mountWaitMs, signal);
    await this.ensure(id, within).catch(() => undefined);
  }

  /** Ends a mount's connection: the machine is not to have it any more. */
  async release(machine: string, target: string): Promise<void> {
    const held = this.#find(machine, target);
    if (held === undefined) return;
    this.#held.delete(held);
    held.controller.abort();
    await held.share?.close();
  }

  /** Something is news of this machine. */
  changed({ id, state }: Pick<Machine, "id" | "state">): void {
    if (state.kind === "running") this.#holdAll(id);
  }

  async close(): Promise<void> {
    const all = [...this.#held];
    this.#held.clear();
    await Promise.all(
      all.map(async ({ controller, share }) => {
        controller.abort();
        await share?.close();
      }),
    );
  }

  #find(machine: string, target: string): Held | undefined {
    return [...this.#held].find(
      (held) => held.machine === machine && held.target === target,
    );
  }

  #holdAll(machine: string): Held[] {
    return this.#deps
      .specsOf(machine)
      .map((spec) => this.#hold(machine, spec.target));
  }

  #hold(machine: string, target: string): Held {
    const known = this.#find(machine, target);
    if (known !== undefined) return known;
    const held: Held = {
      ...{ machine, target },
      share: undefined,
      failure: undefined,
      mounting: Promise.resolve(),
      controller: new AbortController(),
    };
    held.mounting = this.#mount(held);
    held.mounting.catch(() => undefined);
    this.#held.add(held);
    void this.#keep(held).finally(() => this.#held.delete(held));
    return held;
  }

  async #mount(held: Held): Promise<void> {
    const { machine, controller } = held;
    const { signal } = controller;
    const spec = this.#deps
      .specsOf(machine)
      .find(({ target }) => target === held.target);
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
    this.#note(held, undefined);
  }

  #note(held: Held, failure: Failure | undefined): void {
    held.failure = failure;
    const { machine } = held;
    const others = [...this.#held].filter((each) => each.machine === machine);
    this.#deps.onState(
      machine,
      failure ?? others.find((each) => each.failure !== undefined)?.failure,
    );
  }

  /** Until the machine ends, or this helper, or it is to have this mounted no more. */
  async #keep(held: Held): Promise<void> {
    const { log } = this.#deps;
    const { machine, controller } = held;
    const { signal } = controller;
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
        this.#note(held, toFailure(error));
      }
      held.share = undefined;
      await sleep(pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      held.mounting = this.#mount(held);
      held.mounting.catch(() => undefined);
    }
  }
}

/** The machine doesn't run any more, or has nothing to mount. */
class Ended extends Error {}
