/*
 * Keeps clones ready that only lack a name; they live and end with this helper. Looks at what is wanted whenever
 * something has changed (`look.ts`), fills one at a time and hands each out once. Called by whoever makes a machine, by
 * the contract's `pool.*`, and nudged by every change of a machine or a template.
 */
import type { PoolState } from "../../../protocol/pool.ts";
import { drop } from "./fill.ts";
import {
  hasEnded,
  type KeeperDeps,
  keepingNothing,
  membersOf,
  type PoolDeps,
} from "./keeping.ts";
import { look } from "./look.ts";
import { Lookout } from "./lookout.ts";
import type { PoolMember } from "./member.ts";
import { listPools, poolOf, show, titleOf } from "./show.ts";

export interface Pool {
  /** A clone of this template, which nobody else gets: to be made a machine, given back or dropped. */
  take(template: string): Promise<PoolMember | undefined>;
  /** Nothing waits: not worth asking. */
  isEmpty(): boolean;
  giveBack(member: PoolMember): void;
  drop(member: PoolMember): Promise<void>;
  set(image: string, count: number): Promise<PoolState>;
  list(): Promise<PoolState[]>;
  /** Looks at the memory of those that wait, for whoever shows it. */
  measure(): Promise<void>;
  /** What waits in this machine's folder; undefined when nothing does. */
  titleOf(id: string): string | undefined;
  /** Something has changed that the pool may depend on. */
  nudge(): void;
  close(): Promise<void>;
}

export function createPool(deps: PoolDeps): Pool {
  const keeping = keepingNothing();
  const { ready, end } = keeping;
  const own: KeeperDeps = {
    ...deps,
    keeping,
    nudge: (inMs) => lookout.nudge(inMs),
  };
  const lookout = new Lookout(() => look(own), deps.log, end.signal);
  return {
    take: (template) => take(template, own),
    isEmpty: () => ready.size === 0,
    giveBack: (member) => giveBack(member, own),
    drop: (member) => drop(member, own),
    async set(image, count) {
      await deps.images.show(image);
      await deps.sizes.set(image, count);
      keeping.failedAtMs.clear();
      await lookout.now();
      return poolOf(image, own);
    },
    list: () => listPools(own),
    measure: () => show(own),
    titleOf: (id) => titleOf(id, keeping),
    nudge: () => lookout.nudge(),
    async close() {
      end.abort();
      await lookout.close();
      await keeping.filling?.done;
      const members = [...ready.values()];
      ready.clear();
      await Promise.all(members.map((member) => drop(member, own)));
    },
  };
}

async function take(
  template: string,
  deps: KeeperDeps,
): Promise<PoolMember | undefined> {
  const { keeping } = deps;
  for (const member of membersOf(keeping, template)) {
    const { id } = member.record;
    // Whoever takes it out of the map has it: nothing is awaited in between.
    if (!keeping.ready.delete(id)) continue;
    deps.nudge();
    if (await answers(member)) return member;
    await drop(member, deps);
  }
  return undefined;
}

function giveBack(member: PoolMember, deps: KeeperDeps): void {
  const { keeping } = deps;
  if (hasEnded(keeping)) void drop(member, deps);
  else keeping.ready.set(member.record.id, member);
  deps.nudge();
}

const answers = async ({ live }: PoolMember): Promise<boolean> => {
  const status = (await live.qmp
    ?.execute("query-status")
    .catch(() => undefined)) as { status?: string } | undefined;
  return status?.status === "paused";
};
