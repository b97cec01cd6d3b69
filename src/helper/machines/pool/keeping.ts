/*
 * What the keeper of the pool holds while the helper lives: clones that are ready, the one that is being filled, and
 * what was last found to be wanted. A clone belongs to whoever takes it out of `ready`; between looking and taking out
 * nothing is awaited. Written by the pool's own verbs, and nothing of it is on disk.
 */
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { Images } from "../../images/images.ts";
import type { TemplateRecord } from "../../snapshots/templates.ts";
import type { Warm } from "../warm/warm.ts";
import type { MemberDeps, PoolMember } from "./member.ts";
import type { PoolPlan } from "./plan.ts";
import type { PoolSizes } from "./sizes.ts";

export interface PoolDeps extends MemberDeps {
  readonly images: Images;
  readonly warm: Warm;
  readonly sizes: PoolSizes;
}

/** So many clones of this template are wanted. */
export interface Want {
  readonly record: TemplateRecord;
  readonly image: GoldenImage;
  readonly count: number;
}

export interface Keeping {
  /** By the id of the machine that each would be. */
  readonly ready: Map<string, PoolMember>;
  filling:
    | {
        readonly id: string;
        readonly template: string;
        readonly stop: AbortController;
        readonly done: Promise<void>;
      }
    | undefined;
  wants: readonly Want[];
  waits: PoolPlan["waits"];
  /** When a clone of a template last failed to come up. */
  readonly failedAtMs: Map<string, number>;
  /** Fires when the helper ends. */
  readonly end: AbortController;
}

/** What each verb of the pool is given. */
export interface KeeperDeps extends PoolDeps {
  readonly keeping: Keeping;
  /** Has the pool looked after before long. */
  readonly nudge: (inMs?: number) => void;
}

export const keepingNothing = (): Keeping => ({
  ready: new Map(),
  filling: undefined,
  wants: [],
  waits: new Map(),
  failedAtMs: new Map(),
  end: new AbortController(),
});

export const hasEnded = ({ end }: Keeping): boolean => end.signal.aborted;

export const membersOf = ({ ready }: Keeping, template: string): PoolMember[] =>
  [...ready.values()].filter((member) => member.template === template);
