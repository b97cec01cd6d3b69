/*
 * What is known of the services in VMs with a dev container. Asks when somebody looks, and not again within seconds; a machine
 * that has changed is asked again. Nothing is polled. `tree.ts` draws it; `serviceLog.ts` picks from it.
 */
import { given } from "../../base/given.ts";
import type { Service } from "../../protocol/containers.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Call } from "../helper/connection.ts";

interface Look {
  readonly revision: number;
  readonly atMs: number;
  readonly services: Promise<readonly Service[]>;
  /** Once they are there. */
  known?: readonly Service[];
}

const recentMs = 10_000;

export class Services {
  readonly #call: Call;
  readonly #now: () => number;
  readonly #looks = new Map<string, Look>();

  constructor(call: Call, now: () => number = Date.now) {
    this.#call = call;
    this.#now = now;
  }

  /** Whether there may be services in it now. */
  static areIn = ({ state, container }: Machine): boolean =>
    container !== undefined && state.kind === "running";

  /** As they were when somebody looked last; empty for a machine that doesn't run. */
  known(machine: Machine): readonly Service[] {
    return Services.areIn(machine)
      ? (this.#looks.get(machine.id)?.known ?? [])
      : [];
  }

  /** A row that is drawn again for another reason asks nothing. */
  isRecent({ id, revision }: Machine): boolean {
    const look = this.#looks.get(id);
    return look?.revision === revision && this.#now() - look.atMs < recentMs;
  }

  /** Asks, unless that was done just now. Empty where it isn't known. */
  async look(machine: Machine): Promise<readonly Service[]> {
    const { id, revision } = machine;
    if (!Services.areIn(machine)) {
      this.#looks.delete(id);
      return [];
    }
    const before = this.#looks.get(id);
    if (before !== undefined && this.isRecent(machine)) return before.services;
    const services = this.#ask(id);
    const look: Look = {
      revision,
      atMs: this.#now(),
      services,
      // Until the answer is there the row stays as it was.
      ...given({ known: before?.known }),
    };
    this.#looks.set(id, look);
    look.known = await services;
    return look.known;
  }

  async #ask(machine: string): Promise<readonly Service[]> {
    try {
      const { services } = await this.#call("containers.list", { machine });
      return services ?? [];
    } catch {
      return [];
    }
  }
}
