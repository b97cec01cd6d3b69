import { freemem, totalmem } from "node:os";
import type { PoolState } from "../../protocol/pool.ts";
import type { GoldenImage } from "../images/goldenImage.ts";
import type { Images } from "../images/images.ts";
import { processUsage } from "../qemu/process.ts";
import type { TemplateRecord } from "../snapshots/templates.ts";
import { planPool, type PoolPlan } from "./poolPlan.ts";
import {
  dropMember,
  fillMember,
  type MemberDeps,
  nameless,
  type PoolMember,
} from "./poolMember.ts";
import type { PoolSizes } from "./poolSizes.ts";
import type { Warm } from "./warm.ts";

export interface PoolDeps extends MemberDeps {
  readonly images: Images;
  readonly warm: Warm;
  readonly sizes: PoolSizes;
}

/** Keeps clones ready that only lack a name. They live and end with this helper. */
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

/** Changes come in swarms. */
const nudgeMs = 500;
/** What is waited for may come about without anybody's saying so. */
const lookAgainMs = 30_000;
/** After a user's machine has come up its guest has things to do. */
const quietMs = 5_000;
const afterFailureMs = 60_000;

interface Want {
  readonly record: TemplateRecord;
  readonly image: GoldenImage;
  readonly count: number;
}

export function createPool(deps: PoolDeps): Pool {
  const { registry, templates, images, warm, sizes, log } = deps;
  const ready = new Map<string, PoolMember>();
  const end = new AbortController();
  let filling:
    | {
        id: string;
        template: string;
        stop: AbortController;
        done: Promise<void>;
      }
    | undefined;
  let wants: readonly Want[] = [];
  let waits: PoolPlan["waits"] = new Map();
  const failedAtMs = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();

  function nudge(inMs = nudgeMs): void {
    if (closed()) return;
    clearTimeout(timer);
    timer = setTimeout(() => void lookNow(), inMs);
    timer.unref();
  }

  /** After an earlier look, if one is under way. */
  function lookNow(): Promise<void> {
    looking = looking.then(look).catch((error: unknown) => {
      log.warn("looking after the pool failed", { error });
    });
    return looking;
  }

  async function look(): Promise<void> {
    if (closed() || (sizes.allZero() && isAtRest())) return;
    wants = await wanted();
    if (closed()) return;
    const plan = planPool({
      wanted: wants.map(({ record, count }) => ({
        template: record.id,
        count,
        guestBytes: record.shape.memoryMiB * 1024 ** 2,
        failed:
          Date.now() - (failedAtMs.get(record.id) ?? -Infinity) <
          afterFailureMs,
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
      quiet: isQuiet(),
    });
    waits = plan.waits;
    for (const id of plan.end) {
      const member = ready.get(id);
      ready.delete(id);
      if (member !== undefined) await pool.drop(member);
      else if (filling?.id === id) {
        filling.stop.abort();
        await filling.done;
      }
    }
    const next = wants.find(({ record }) => record.id === plan.fill);
    if (next !== undefined && filling === undefined) fill(next);
    const reasons = [...plan.waits.values()];
    if (reasons.length > 0)
      nudge(reasons.includes("quiet") ? quietMs : lookAgainMs);
    await show();
  }

  const closed = (): boolean => end.signal.aborted;

  const isAtRest = (): boolean =>
    ready.size === 0 && filling === undefined && wants.length === 0;

  /** One template an image: the one of those that fit which was used last. */
  async function wanted(): Promise<Want[]> {
    const found = new Map<string, Want>();
    for (const record of templates.ready()) {
      const { name, digest } = record.image;
      // A clone of Windows takes its name at a restart only, so none of it can wait for one.
      if (record.card !== undefined) continue;
      const count = sizes.of(name);
      if (count === 0 || found.has(name)) continue;
      try {
        const image = await images.resolve(name);
        if (image.digest !== digest) continue;
        const fits = await warm.find(record.shape, image, end.signal);
        if (fits?.id === record.id) found.set(name, { record, image, count });
      } catch (error) {
        log.info("no pool for an image", { image: name, error });
      }
    }
    return [...found.values()];
  }

  /** Nobody waits for a machine or a template of his own, nor did a moment ago. */
  function isQuiet(): boolean {
    return (
      !warm.busy() &&
      registry
        .entries()
        .every(
          ({ state }) =>
            !["creating", "starting", "stopping"].includes(state.kind) &&
            (state.kind !== "running" || Date.now() - state.sinceMs > quietMs),
        )
    );
  }

  function fill({ record: template, image }: Want): void {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, end.signal]);
    const draft = nameless(template, registry);
    const startedAtMs = Date.now();
    const done = fillMember(draft, template, image, deps, signal)
      .then((member) => {
        if (signal.aborted) return pool.drop(member);
        log.info("a clone waits in the pool", {
          machine: draft.id,
          template: template.id,
          tookMs: Date.now() - startedAtMs,
        });
        watch(member);
        ready.set(draft.id, member);
        return undefined;
      })
      .catch((error: unknown) => {
        if (signal.aborted) return;
        failedAtMs.set(template.id, Date.now());
        log.warn("a clone for the pool did not come up", {
          template: template.id,
          error,
        });
      })
      .finally(() => {
        filling = undefined;
        nudge(0);
      });
    filling = { id: draft.id, template: template.id, stop, done };
  }

  /** One whose QEMU ends while it waits is nobody's any more. */
  function watch(member: PoolMember): void {
    void member.live.qmp?.closed.then(async () => {
      if (ready.get(member.record.id) !== member) return;
      ready.delete(member.record.id);
      log.warn("a pooled clone has ended by itself", {
        machine: member.record.id,
      });
      await pool.drop(member);
      nudge();
    });
  }

  const membersOf = (template: string): PoolMember[] =>
    [...ready.values()].filter((member) => member.template === template);

  async function show(): Promise<void> {
    for (const { id } of templates.ready()) {
      const count = wants.find(({ record }) => record.id === id)?.count ?? 0;
      const members = membersOf(id);
      templates.pooled(
        id,
        count === 0 && members.length === 0
          ? undefined
          : {
              wanted: count,
              ready: members.length,
              memoryBytes: await memoryOf(members),
            },
      );
    }
  }

  async function stateOf(image: string): Promise<PoolState> {
    const want = wants.find(({ record }) => record.image.name === image);
    const members = [...ready.values()].filter(
      ({ record }) => record.image.name === image,
    );
    const count = sizes.of(image);
    const waitsFor =
      members.length >= count
        ? undefined
        : want === undefined
          ? "template"
          : (waits.get(want.record.id) ?? "filling");
    return {
      image,
      wanted: count,
      ready: members.length,
      memoryBytes: await memoryOf(members),
      ...(want === undefined ? {} : { template: want.record.id }),
      ...(waitsFor === undefined ? {} : { waitsFor }),
    };
  }

  const pool: Pool = {
    async take(template) {
      for (const member of membersOf(template)) {
        const { id } = member.record;
        // Whoever takes it out of the map has it: nothing is awaited in between.
        if (!ready.delete(id)) continue;
        nudge();
        if (await answers(member)) return member;
        await pool.drop(member);
      }
      return undefined;
    },

    isEmpty: () => ready.size === 0,

    giveBack(member) {
      if (closed()) void pool.drop(member);
      else ready.set(member.record.id, member);
      nudge();
    },

    drop: ({ record, live }) => dropMember(record, live, deps),

    async set(image, count) {
      await images.show(image);
      await sizes.set(image, count);
      failedAtMs.clear();
      clearTimeout(timer);
      await lookNow();
      return stateOf(image);
    },

    list() {
      const names = new Set([
        ...sizes.named(),
        ...templates.ready().map(({ image }) => image.name),
      ]);
      return Promise.all(
        [...names]
          .filter((name) => sizes.of(name) > 0)
          .sort()
          .map(stateOf),
      );
    },

    measure: show,

    titleOf(id) {
      const image =
        ready.get(id)?.record.image.name ??
        wants.find(
          ({ record }) => filling?.id === id && record.id === filling.template,
        )?.record.image.name;
      return image === undefined ? undefined : `pooled clone of ${image}`;
    },

    nudge: () => nudge(),

    async close() {
      end.abort();
      clearTimeout(timer);
      await looking;
      await filling?.done;
      const members = [...ready.values()];
      ready.clear();
      await Promise.all(members.map((member) => pool.drop(member)));
    },
  };
  return pool;
}

const answers = async ({ live }: PoolMember): Promise<boolean> => {
  const status = (await live.qmp
    ?.execute("query-status")
    .catch(() => undefined)) as { status?: string } | undefined;
  return status?.status === "paused";
};

async function memoryOf(members: readonly PoolMember[]): Promise<number> {
  const usages = await Promise.all(
    members.map(({ live }) => processUsage(live.handles.pid)),
  );
  return usages.reduce((sum, usage) => sum + (usage?.memoryBytes ?? 0), 0);
}
