/*
 * What an `up` asks of the VM's engine beside the reference implementation: that a container which stopped runs again, and
 * how the services beside it are. Both are one call each. Called by `container.ts`.
 */
import { isAmiss } from "../../../protocol/serviceHealth.ts";
import type { SshSession } from "../../ssh/session.ts";
import {
  type Engine,
  type ListedService,
  listServices,
  startContainer,
} from "../container/engine.ts";
import { isLanded, startIdOf } from "../container/landing.ts";
import { mishapsOf } from "../container/services.ts";
import type { WorkspaceEntry } from "../known/knownWorkspaces.ts";
import type { GuestOfUp } from "./guestOfUp.ts";
import type { UpRun } from "./run.ts";

type Kept = NonNullable<
  NonNullable<WorkspaceEntry["record"]["made"]>["container"]
>;

const engineOf = ({ deps }: UpRun, session: SshSession): Engine | undefined =>
  deps.engineProgram === undefined
    ? undefined
    : { session, program: deps.engineProgram };

/**
 * The container of an earlier `up`, if connections lead into it: one that has stopped since is started. Undefined when it
 * has to be made by the reference implementation. Its commands for each start run again after a new one.
 */
export async function runningAgain(
  run: UpRun,
  { session }: GuestOfUp,
  kept: Kept,
  signal: AbortSignal,
): Promise<Kept | undefined> {
  const engine = engineOf(run, session);
  const startedAt =
    engine === undefined
      ? undefined
      : await startContainer(engine, kept.id, { when: "always" }, signal).catch(
          () => {
            signal.throwIfAborted();
            return undefined;
          },
        );
  if (engine !== undefined && startedAt === undefined) return undefined;
  if (!(await isLanded(session, kept.id, signal))) return undefined;
  const startId = startedAt === undefined ? kept.startId : startIdOf(startedAt);
  if (startId === kept.startId) return kept;
  const { entry, deps } = run;
  const { made } = entry.record;
  const again = { ...kept, startId };
  if (made !== undefined)
    await deps.workspaces.rewrite(entry, {
      made: { ...made, container: again },
    });
  return again;
}

const tailLines = 8;

/** The workspace's services as they are now; empty where they can't be asked for. */
export const servicesOf =
  (run: UpRun, session: SshSession) =>
  async (signal: AbortSignal): Promise<ListedService[]> => {
    const engine = engineOf(run, session);
    const dev = run.entry.record.made?.container?.id;
    return engine === undefined
      ? []
      : listServices(engine, dev, tailLines, signal);
  };

export interface ServiceWatch {
  /** Tells of services beside the dev container that aren't well, each once. */
  tell(signal: AbortSignal): Promise<void>;
  /** The same at the end, if that is long after: a service may fail while commands run. */
  tellLater(signal: AbortSignal): Promise<void>;
}

const longMs = 5_000;

/** Of Compose; nothing is beside another container. A look that fails is none: the container itself is up. */
export function serviceWatch(
  run: UpRun,
  {
    session,
    machine,
    isCompose,
  }: Pick<GuestOfUp, "session" | "machine"> & { readonly isCompose: boolean },
): ServiceWatch {
  const told = new Set<string>();
  let lookedAt = 0;
  const tell = async (signal: AbortSignal): Promise<void> => {
    if (!isCompose) return;
    const list = servicesOf(run, session);
    const listed = await list(signal).catch(() => []);
    signal.throwIfAborted();
    lookedAt = performance.now();
    run.tell(mishapsOf(listed, machine.name, told));
    for (const { service } of listed)
      if (isAmiss(service)) told.add(service.id);
  };
  return {
    tell,
    tellLater: (signal) =>
      performance.now() - lookedAt < longMs ? Promise.resolve() : tell(signal),
  };
}
