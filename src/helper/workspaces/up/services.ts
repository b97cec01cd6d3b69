/*
 * What an `up` asks of the VM's engine beside the reference implementation: that a container which stopped runs again, and
 * how the services beside it are. Both are one call each. Called by `container.ts`.
 */
import { isAmiss } from "../../../protocol/serviceHealth.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
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

const tailLines = 8;

/** A container that runs again, and a connection that ends in it. */
export interface RunningAgain {
  readonly kept: Kept;
  /** The caller's to close. */
  readonly inside: SshSession;
  /** With those beside it. */
  readonly services: readonly ListedService[];
}

/**
 * The container of an earlier `up`, if connections lead into it: one that has stopped since is started. Undefined when it
 * has to be made by the reference implementation. Its commands for each start run again after a new one.
 *
 * All is asked at once, as each question takes a program's start in the guest: a connection that was begun before it is known
 * whether it leads into the right container is given up where it doesn't.
 */
export async function runningAgain(
  run: UpRun,
  { session, machine }: GuestOfUp,
  kept: Kept,
  signal: AbortSignal,
): Promise<RunningAgain | undefined> {
  const { deps } = run;
  const connect = async (within: AbortSignal): Promise<SshSession> =>
    connectSsh(await deps.reach.landing(machine.id), {}, within);
  const engine = engineOf(run, session);
  const givenUp = new AbortController();
  const early = connect(AbortSignal.any([signal, givenUp.signal])).catch(
    () => undefined,
  );
  let isUsed = false;
  try {
    const landing = isLanded(session, kept.id, signal);
    landing.catch(() => undefined);
    const started =
      engine === undefined
        ? undefined
        : await startContainer(
            engine,
            kept.id,
            { when: "always", tailLines },
            signal,
          ).catch(() => {
            signal.throwIfAborted();
            return undefined;
          });
    if (engine !== undefined && started === undefined) return undefined;
    const { services } = started ?? { services: [] };
    const startId =
      started === undefined ? kept.startId : startIdOf(started.startedAt);
    if (startId === kept.startId) {
      if (!(await landing)) return undefined;
      const inside = (await early) ?? (await connect(signal));
      isUsed = true;
      return { kept, inside, services };
    }
    if (!(await isLanded(session, kept.id, signal))) return undefined;
    const again = { ...kept, startId };
    const { made } = run.entry.record;
    if (made !== undefined)
      await deps.workspaces.rewrite(run.entry, {
        made: { ...made, container: again },
      });
    return { kept: again, inside: await connect(signal), services };
  } finally {
    if (!isUsed) {
      givenUp.abort();
      void early.then((inside) => inside?.close());
    }
  }
}

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
  /** Tells of services beside the dev container that aren't well, each once. Those who know them already say so. */
  tell(signal: AbortSignal, known?: readonly ListedService[]): Promise<void>;
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
  const tell: ServiceWatch["tell"] = async (signal, known) => {
    if (!isCompose) return;
    const list = servicesOf(run, session);
    const listed = known ?? (await list(signal).catch(() => []));
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
