/*
 * Brings a VM's dev container back after a boot of the VM: the engine starts only containers with a restart policy. Looks at
 * each boot once, when the machine runs, and lets whoever connects wait for it. What somebody stopped since the boot stays
 * stopped. Keeps true: one look per boot, no machine is ever started for it, and no one waits for long. Called by the daemon.
 */
import { abortAfter, withDeadline } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import { withSessionTo } from "../../ssh/guestSession.ts";
import {
  anyDevContainer,
  type EngineProgram,
  startContainer,
} from "./engine.ts";

export interface BootsDeps {
  readonly program: EngineProgram;
  readonly reach: Pick<GuestAccess, "running">;
  readonly devContainer: (machine: string) => string | undefined;
  /**
   * Where folders of this computer are mounted in the VM, once they are. A container that is started before sees an empty
   * folder there for as long as it runs.
   */
  readonly mounts: (machine: string, signal: AbortSignal) => Promise<string[]>;
  readonly log: Log;
}

type News = Pick<Machine, "id" | "state" | "container" | "runtime">;

/** The engine comes up after SSH does; starting a database takes its time on an emulated processor. */
const startTakesMs = 120_000;
/** A container that works without a folder is better than none. */
const mountsTakeMs = 45_000;

export class ContainerBoots {
  readonly #deps: BootsDeps;
  /** By machine. */
  readonly #looks = new Map<
    string,
    { readonly startedAtMs: number; readonly done: Promise<void> }
  >();
  readonly #controller = new AbortController();

  constructor(deps: BootsDeps) {
    this.#deps = deps;
  }

  /** Something is news of this machine. */
  changed({ id, state, container, runtime }: News): void {
    if (runtime === undefined) this.#looks.delete(id);
    // What goes on from a saved state has its containers running.
    if (
      state.kind !== "running" ||
      container === undefined ||
      runtime?.way !== "cold" ||
      this.#looks.get(id)?.startedAtMs === runtime.startedAtMs
    )
      return;
    const { startedAtMs } = runtime;
    this.#looks.set(id, { startedAtMs, done: this.#look(id) });
  }

  /** Settles once the container was looked at, or the signal fires. Never throws. */
  async settled(id: string, signal: AbortSignal): Promise<void> {
    const look = this.#looks.get(id);
    if (look === undefined) return;
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([look.done, aborted]);
  }

  async close(): Promise<void> {
    this.#controller.abort();
    await Promise.all([...this.#looks.values()].map(({ done }) => done));
  }

  async #look(id: string): Promise<void> {
    const { program, reach, devContainer, mounts, log } = this.#deps;
    try {
      await withDeadline(
        "starting the dev container",
        startTakesMs,
        async (signal) => {
          const target = await reach.running(id);
          if (target === undefined) return;
          const within = abortAfter(mountsTakeMs, signal);
          const mounted = await mounts(id, within).catch((): string[] => []);
          await withSessionTo(
            target,
            (session) =>
              startContainer(
                { session, program },
                devContainer(id) ?? anyDevContainer,
                { when: "boot", mounted },
                signal,
              ),
            signal,
          );
        },
        this.#controller.signal,
      );
    } catch (error) {
      if (!this.#controller.signal.aborted)
        log.warn("a dev container wasn't started after its VM", { id, error });
    }
  }
}
