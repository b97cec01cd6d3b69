import { type KeeperDeps, type Want } from "./keeping.ts";
import { dropMember, fillMember, nameless, type PoolMember } from "./member.ts";

/** Begins to bring up one more clone, which is then ready or was dropped. Only one comes up at a time. */
export function fill(
  { record: template, image }: Want,
  deps: KeeperDeps,
): void {
  const { keeping, registry, log } = deps;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, keeping.end.signal]);
  const draft = nameless(template, image.os, registry);
  const startedAtMs = Date.now();
  const done = fillMember({ draft, template, image }, deps, signal)
    .then((member) => {
      if (signal.aborted) return drop(member, deps);
      log.info("a clone waits in the pool", {
        machine: draft.id,
        template: template.id,
        tookMs: Date.now() - startedAtMs,
      });
      watch(member, deps);
      keeping.ready.set(draft.id, member);
      return undefined;
    })
    .catch((error: unknown) => {
      if (signal.aborted) return;
      keeping.failedAtMs.set(template.id, Date.now());
      log.warn("a clone for the pool did not come up", {
        template: template.id,
        error,
      });
    })
    .finally(() => {
      keeping.filling = undefined;
      deps.nudge(0);
    });
  keeping.filling = { id: draft.id, template: template.id, stop, done };
}

/** One whose QEMU ends while it waits is nobody's any more. */
function watch(member: PoolMember, deps: KeeperDeps): void {
  const { ready } = deps.keeping;
  const { id } = member.record;
  void member.live.qmp?.closed.then(async () => {
    if (ready.get(id) !== member) return;
    ready.delete(id);
    deps.log.warn("a pooled clone has ended by itself", { machine: id });
    await drop(member, deps);
    deps.nudge();
  });
}

export const drop = (
  { record, live }: PoolMember,
  deps: KeeperDeps,
): Promise<void> => dropMember(record, live, deps);
