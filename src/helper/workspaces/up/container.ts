/*
 * The stages of an `up` whose configuration is for a container: the reference implementation builds and starts it in the VM,
 * connections are led into it, and what is to be done for its user is done over such a connection, as in any VM. A container
 * that runs already costs nothing but the look. Called by `up.ts` once the folder is in the VM.
 */
import { dirname, join } from "node:path";
import { given } from "../../../base/given.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import {
  type Described,
  describeContainer,
  land,
  remoteEnvOf,
} from "../container/landing.ts";
import {
  keptOf,
  mergedEditor,
  mergedHooks,
  mergedPorts,
} from "../container/merged.ts";
import { decidePorts } from "../container/published.ts";
import { dockerConfigFor, registriesOf } from "../container/registries.ts";
import { referenceUp } from "../container/referenceCli.ts";
import { applyEditor } from "../editor/apply.ts";
import type { GuestMemory } from "../guest/linuxGuest.ts";
import { guestOps } from "../guest/systems.ts";
import { filesOf } from "../known/source.ts";
import type { WorkspaceEntry } from "../known/knownWorkspaces.ts";
import { type Milestones, runCommands } from "./commands.ts";
import type { ContainerOfUp, GuestOfUp } from "./guestOfUp.ts";
import { provideHostPart } from "./hostPart.ts";
import { connectGit, setGitUp } from "./person.ts";
import { notePorts } from "./ports.ts";
import {
  type RunningAgain,
  runningAgain,
  servicesOf,
  serviceWatch,
} from "./services.ts";
import type { UpRun } from "./run.ts";

type Made = NonNullable<WorkspaceEntry["record"]["made"]>;
type Kept = NonNullable<Made["container"]>;

export interface ContainerWork {
  readonly milestones: Milestones;
  /** Sees to the folder's files in the VM. */
  readonly files: () => Promise<unknown>;
}

/** Everything between a VM and a container in it that can be worked in. Fails as `bringUp` does. */
export async function bringUpContainer(
  run: UpRun,
  of: ContainerOfUp,
  { milestones, files }: ContainerWork,
  signal: AbortSignal,
): Promise<void> {
  const { entry, plan, deps, params } = run;
  const { guest } = of;
  const again = await lookDuring(
    files(),
    params.container === "fresh" ? undefined : entry.record.made?.container,
    { run, guest },
    signal,
  );
  const kept =
    again?.kept ?? (await run.stage("container", () => make(run, of, signal)));
  const inside =
    again?.inside ??
    (await connectSsh(await deps.reach.landing(guest.machine.id), {}, signal));
  const services = serviceWatch(run, {
    ...guest,
    isCompose: of.container.kind === "compose",
  });
  try {
    await services.tell(signal, again?.services);
    const memory = await setUpInside(run, { inside, kept }, signal);
    const isNew = again === undefined;
    await connectGit(run, guest.machine.id, { isNew }, signal);
    await runCommands(
      run,
      { ...guest, session: inside },
      {
        // Its commands are among the merged ones.
        file:
          plan.file.waitFor === undefined ? {} : { waitFor: plan.file.waitFor },
        hooks: mergedHooks(kept.merged),
        memory,
        milestones,
      },
      signal,
    );
    await services.tellLater(signal);
  } finally {
    inside.close();
  }
}

/** A container that is there has its files, so the look at it needn't wait for `files`. */
async function lookDuring(
  files: Promise<unknown>,
  present: Kept | undefined,
  { run, guest }: { readonly run: UpRun; readonly guest: GuestOfUp },
  signal: AbortSignal,
): Promise<RunningAgain | undefined> {
  const [done, seen] = await Promise.allSettled([
    files,
    present && runningAgain(run, guest, present, signal),
  ]);
  if (seen.status === "rejected") throw seen.reason;
  if (done.status === "fulfilled") return seen.value;
  seen.value?.inside.close();
  throw done.reason;
}

/** Builds, makes or starts the container, and leads connections into it. Answers with what is kept of it. */
async function make(
  run: UpRun,
  of: ContainerOfUp,
  signal: AbortSignal,
): Promise<Kept> {
  const { guest, container } = of;
  const { entry, plan, configuration, deps, params, log } = run;
  const { session, machine } = guest;
  const { placing } = plan;
  await provideHostPart(run, of, signal);
  const up = await referenceUp(
    session,
    {
      folder: placing.target,
      path: configuration.path ?? ".devcontainer.json",
      config: container.file,
      environment: container.compose?.environment ?? {},
      ...(container.kind === "compose"
        ? { services: servicesOf(run, session) }
        : {}),
      fresh: params.container === "fresh",
      credentials: async () => {
        const folder = await filesOf(configuration, signal);
        const at = join(folder, dirname(configuration.path ?? ""));
        return deps.credentials === undefined
          ? undefined
          : dockerConfigFor(
              await registriesOf(plan.file, folder, at),
              deps.credentials,
              signal,
            );
      },
    },
    log,
    signal,
  );
  const described = await describeContainer(
    session,
    up.containerId,
    up.remoteUser ?? "root",
    signal,
  );
  const merged = keptOf(up.mergedConfiguration ?? {});
  const attributes = mergedPorts(merged);
  const ports = decidePorts(described.engine, container.relays, attributes);
  const workspaceFolder = up.remoteWorkspaceFolder ?? placing.workspaceFolder;
  const { user, uid, gid, home, shell } = described;
  await land(
    session,
    {
      container: up.containerId,
      ...{ user, uid, gid, home, shell, workspaceFolder },
      relays: ports.relays,
      environment: setOf(
        remoteEnvOf(merged, described.environment, plan.variables),
      ),
    },
    signal,
  );
  await deps.machines.noteLanding(machine.id, { user, home });
  run.tell([...limitsOf(described), ...ports.notes]);
  await notePorts(run, machine, { published: ports.published, attributes });
  const { made } = entry.record;
  const before = made?.container;
  const kept: Kept = {
    id: up.containerId,
    ...{ user, home, merged },
    startId: described.startId,
    // The reference implementation keeps a container whose file has changed.
    digest: before?.id === up.containerId ? before.digest : container.digest,
  };
  if (made !== undefined)
    await deps.workspaces.rewrite(entry, {
      made: { ...made, workspaceFolder, user, container: kept },
    });
  return kept;
}

/** A variable that is taken away is none for a session. */
const setOf = (
  environment: Readonly<Record<string, string | null>>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value === null ? [] : [[name, value] as const],
    ),
  );

const limitsOf = ({ isMusl, isReadOnly }: Described): string[] => [
  ...(isMusl
    ? [
        "This container uses musl (Alpine): terminals, SSH and Open Remote - SSH work; VS Code's own Remote - SSH needs glibc.",
      ]
    : []),
  ...(isReadOnly
    ? [
        "The container's file system is read-only: nothing can be remembered in it, so its commands run at each up.",
      ]
    : []),
];

/** The user's environment and editor in the container; answers with what the container remembers. */
async function setUpInside(
  run: UpRun,
  { inside, kept }: { readonly inside: SshSession; readonly kept: Kept },
  signal: AbortSignal,
): Promise<GuestMemory> {
  const { entry, plan, params, deps } = run;
  const { workspaceFolder = plan.placing.workspaceFolder } =
    entry.record.made ?? {};
  const { linux } = guestOps;
  const { marks } = await linux.prepare(inside, workspaceFolder, signal);
  // Once for each start of the container, not of the VM.
  const memory = { marks, bootId: kept.startId };
  if (marks.get("environment") === kept.startId) return memory;
  await run.stage("environment", async () => {
    let remoteEnv: Record<string, string | null> = {};
    run.tell(
      await linux.writeEnvironment(
        inside,
        given({ userEnvProbe: plan.file.userEnvProbe }),
        (containerEnv) =>
          (remoteEnv = remoteEnvOf(kept.merged, containerEnv, plan.variables)),
        signal,
      ),
    );
    run.tell(
      await applyEditor(
        inside,
        { workspaces: deps.workspaces, entry },
        {
          file: {
            customizations: mergedEditor(kept.merged),
            ...mergedPorts(kept.merged),
          },
          remoteEnv,
          serverFolder: params.serverFolder,
          marks,
        },
        signal,
      ),
    );
    await setGitUp(run, inside, marks, signal);
    await linux.remember(inside, "environment", kept.startId, signal);
  });
  return memory;
}
