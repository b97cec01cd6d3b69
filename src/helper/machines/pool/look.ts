import { freemem, totalmem } from "node:os";
import { drop, fill } from "./fill.ts";
import { hasEnded, type KeeperDeps, type Keeping } from "./keeping.ts";
import { planPool, type PoolPlan, type PoolSight } from "./plan.ts";
import { show } from "./show.ts";
import { isQuiet, quietMs, wanted } from "./wants.ts";

/** What is waited for may come about without anybody's saying so. */
const lookAgainMs = 30_000;
const afterFailureMs = 60_000;

/** Looks once at what is wanted, ends and fills by plan, and tells how the pool stands. */
export async function look(deps: KeeperDeps): Promise<void> {
  const { keeping, sizes } = deps;
  if (hasEnded(keeping) || (sizes.allZero() && isAtRest(keeping))) return;
  keeping.wants = await wanted(deps, keeping.end.signal);
  if (hasEnded(keeping)) return;
  const plan = planPool(sightOf(deps));
  keeping.waits = plan.waits;
  await endMembers(plan, deps);
  const next = keeping.wants.find(({ record }) => record.id === plan.fill);
  if (next !== undefined && keeping.filling === undefined) fill(next, deps);
  const reasons = [...plan.waits.values()];
  if (reasons.length > 0)
    deps.nudge(reasons.includes("quiet") ? quietMs : lookAgainMs);
  await show(deps);
}

const isAtRest = ({ ready, filling, wants }: Keeping): boolean =>
  ready.size === 0 && filling === undefined && wants.length === 0;

function sightOf(deps: KeeperDeps): PoolSight {
  const { wants, ready, filling, failedAtMs } = deps.keeping;
  return {
    wanted: wants.map(({ record, count }) => ({
      template: record.id,
      count,
      guestBytes: record.shape.memoryMiB * 1024 ** 2,
      failed:
        Date.now() - (failedAtMs.get(record.id) ?? -Infinity) < afterFailureMs,
    })),
    members: [
      ...[...ready].map(([id, { template }]) => ({
        id,
        template,
        ready: true,
      })),
      ...(filling === undefined ? [] : [{ ...filling, ready: false }]),
    ],
    availableBytes: freemem(),
    totalBytes: totalmem(),
    quiet: isQuiet(deps),
  };
}

async function endMembers({ end }: PoolPlan, deps: KeeperDeps): Promise<void> {
  const { keeping } = deps;
  for (const id of end) {
    const member = keeping.ready.get(id);
    keeping.ready.delete(id);
    if (member !== undefined) await drop(member, deps);
    else if (keeping.filling?.id === id) {
      keeping.filling.stop.abort();
      await keeping.filling.done;
    }
  }
}
