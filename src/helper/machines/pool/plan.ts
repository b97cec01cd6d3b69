import type { PoolState } from "../../../protocol/pool.ts";

/** What the keeper of the pool sees; bytes are those of the host's memory. */
export interface PoolSight {
  /** In the order in which they are filled. */
  readonly wanted: readonly {
    readonly template: string;
    readonly count: number;
    /** What one may come to take: the whole of its guest's memory. */
    readonly guestBytes: number;
    /** The last try failed not long ago. */
    readonly failed: boolean;
  }[];
  /** The oldest first. */
  readonly members: readonly {
    readonly id: string;
    readonly template: string;
    readonly ready: boolean;
  }[];
  readonly availableBytes: number;
  readonly totalBytes: number;
  /** No machine of somebody's and no template is on its way up, nor was a moment ago. */
  readonly quiet: boolean;
}

export interface PoolPlan {
  /** Members to be ended. */
  readonly end: readonly string[];
  /** The template of which one more is to be resumed. */
  readonly fill: string | undefined;
  /** Why a template's clones are fewer than wanted. */
  readonly waits: ReadonlyMap<string, NonNullable<PoolState["waitsFor"]>>;
}

/** After one more, this part of the host's memory must still be free, and nothing is ended above half of it. */
const freeShare = 1 / 8;

/**
 * What to do next: ends what nobody wants any more and, when memory is short, what somebody does; resumes one at a time,
 * when nobody waits for a machine of his own and the host has memory to spare. Pure.
 */
export function planPool({
  wanted,
  members,
  availableBytes,
  totalBytes,
  quiet,
}: PoolSight): PoolPlan {
  const keepBytes = totalBytes * freeShare;
  const end: string[] = [];
  const missing: PoolSight["wanted"][number][] = [];
  for (const template of new Set(members.map((member) => member.template))) {
    const count = wanted.find((one) => one.template === template)?.count ?? 0;
    // Those that are ready stay before those that are not, the older before the younger.
    const ours = members
      .filter((member) => member.template === template)
      .sort((a, b) => Number(b.ready) - Number(a.ready));
    end.push(...ours.slice(count).map(({ id }) => id));
  }
  const stays = members.filter(({ id }) => !end.includes(id));
  for (const want of wanted)
    if (
      stays.filter(({ template }) => template === want.template).length <
      want.count
    )
      missing.push(want);

  const youngest = stays.at(-1);
  const pressed = availableBytes < keepBytes / 2;
  if (pressed && youngest !== undefined) end.push(youngest.id);

  const filling = stays.find(({ ready }) => !ready)?.template;
  const waits = new Map<string, NonNullable<PoolState["waitsFor"]>>();
  let fill: string | undefined;
  for (const { template, guestBytes, failed } of missing) {
    if (failed) waits.set(template, "failure");
    else if (availableBytes - guestBytes < keepBytes)
      waits.set(template, "memory");
    else if (!quiet) waits.set(template, "quiet");
    else {
      waits.set(template, "filling");
      if (filling === undefined) fill ??= template;
    }
  }
  if (filling !== undefined) waits.set(filling, "filling");
  return { end, fill, waits };
}
