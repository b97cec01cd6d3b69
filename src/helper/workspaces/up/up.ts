import { promiseWithResolvers } from "../../../base/deadline.ts";
import type { CameUp } from "../../../protocol/workspaces.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import { stepsOf } from "../devcontainer/lifecycleCommands.ts";
import { pinsOf, featuresOfFolder } from "../features/ofFolder.ts";
import { noFeatures, type Resolution } from "../features/resolve.ts";
import { hooksOf } from "../features/merge.ts";
import { setUpFeatures } from "../features/stage.ts";
import {
  CommandFailure,
  commandFailure,
  failureState,
} from "../guest/failure.ts";
import { runSteps } from "../guest/steps.ts";
import type { GuestMemory } from "../guest/linuxGuest.ts";
import { guestOps } from "../guest/systems.ts";
import { titleOf } from "../known/knownWorkspaces.ts";
import { filesOf } from "../known/source.ts";
import { type Milestones, runCommands } from "./commands.ts";
import { bringUpContainer } from "./container.ts";
import { setEnvironment } from "./environment.ts";
import { copyFiles, mountFiles } from "./files.ts";
import type { GuestOfUp } from "./guestOfUp.ts";
import { hostRunner } from "./hostCommand.ts";
import { keepPins, machineForUp } from "./machine.ts";
import { connectGit, noteGitConsent } from "./person.ts";
import { notePorts } from "./ports.ts";
import { openRun, type UpOrder, type UpRun } from "./run.ts";
import type { UpDeps } from "./upDeps.ts";

/** An `up` under way. */
export interface Up {
  /** Settles where the file's `waitFor` lets an editor open, or with `ended`. */
  readonly openable: Promise<CameUp>;
  /** Settles once nothing is left but a `postAttachCommand` that may never end; never for another. */
  readonly lingering: Promise<CameUp>;
  readonly ended: Promise<CameUp>;
}

/**
 * Brings a workspace's VM up, as far as that was not done before. The caller holds the workspace's lock until `ended`
 * settles, and has asked for consent where a command runs on the host. What fails is recorded, and the VM kept; the next
 * call goes on from there.
 */
export function bringUp(order: UpOrder, deps: UpDeps, signal: AbortSignal): Up {
  const openable = promiseWithResolvers<CameUp>();
  const lingering = promiseWithResolvers<CameUp>();
  const ended = perform(
    order,
    deps,
    { openable: openable.resolve, lingering: lingering.resolve },
    signal,
  );
  ended.then(openable.resolve, openable.reject);
  return { openable: openable.promise, lingering: lingering.promise, ended };
}

/** Who is told how far it has come. */
type Reached = Readonly<
  Record<"openable" | "lingering", (cameUp: CameUp) => void>
>;

/** The stages, in order. */
async function perform(
  order: UpOrder,
  deps: UpDeps,
  reached: Reached,
  signal: AbortSignal,
): Promise<CameUp> {
  const run = await openRun(order, deps);
  const { entry, plan, params, log } = run;
  let session: SshSession | undefined;
  const linger = { lingers: false };
  try {
    await noteGitConsent(run);
    if (params.initialize === "run") await runOnHost(run, signal);
    // Before a VM is made: what can't be found is no reason for one.
    const found = await findFeatures(run, signal);
    const machine = await machineForUp(run, found.features, signal);
    await keepPins(entry, pinsOf(found), deps.workspaces);
    const system = guestOps[machine.os];
    const target = await deps.reach.target(machine.id, signal);
    session = await connectSsh(target, {}, signal);
    const guest = { machine, system, session };
    // Before anything looks at the folder: a mount that nobody serves lets it wait.
    const share = await mountFiles(run, machine, signal);
    const made = entry.record.made ?? plan.placing;
    const prepared = (): Promise<GuestMemory> =>
      system.prepare(guest.session, made.target, signal);
    const cameUp = (): CameUp =>
      run.cameUp(deps.workspaces.machineOf(entry) ?? machine);
    const milestones = milestonesOf(run, linger, reached, cameUp);
    if (plan.container === undefined)
      await setUpMachine(
        run,
        guest,
        {
          found,
          memory: await prepared(),
          milestones,
          isMounted: share !== undefined,
        },
        signal,
      );
    else
      await bringUpContainer(
        run,
        { guest, container: plan.container },
        {
          milestones,
          files: async () =>
            copyFiles(run, guest, (await prepared()).marks, signal),
        },
        signal,
      );
    await noteReady(run);
    return cameUp();
  } catch (error) {
    // What was told to be up is ended by the next up, a down, or its VM's end.
    if (linger.lingers && !(error instanceof CommandFailure)) log.mark("ended");
    else await noteFailure(run, error);
    throw error instanceof CommandFailure ? error.told : error;
  } finally {
    session?.close();
    await log.flush();
  }
}

interface MachineWork {
  readonly found: Resolution;
  readonly memory: GuestMemory;
  readonly milestones: Milestones;
  /** The folder is mounted, so nothing is copied. */
  readonly isMounted: boolean;
}

/** The stages in a VM that is itself what the user works in. */
async function setUpMachine(
  run: UpRun,
  guest: GuestOfUp,
  { found, memory, milestones, isMounted }: MachineWork,
  signal: AbortSignal,
): Promise<void> {
  const { plan, deps, log } = run;
  const { machine, system } = guest;
  await notePorts(run, machine, { published: [], attributes: plan.file });
  const features = system.can.features ? found.features : [];
  const { environment: featuresEnv, installed } = await setUpFeatures(
    { session: guest.session, marks: memory.marks, log },
    features,
    {
      users: { remote: machine.user, container: plan.file.containerUser },
      stage: (work) => run.stage("features", work),
    },
    signal,
  );
  // What was logged in before hasn't the groups and variables that came with them.
  const session = installed
    ? await connectSsh(await deps.reach.target(machine.id, signal), {}, signal)
    : guest.session;
  const within = { ...guest, session };
  try {
    const marks = isMounted
      ? memory.marks
      : await copyFiles(run, within, memory.marks, signal);
    await setEnvironment(run, within, { found, featuresEnv, marks }, signal);
    if (system.can.gitCredentials)
      await connectGit(run, machine.id, { isNew: false }, signal);
    await runCommands(
      run,
      within,
      {
        file: plan.file,
        hooks: hooksOf(features, plan.variables),
        memory: { ...memory, marks },
        milestones,
      },
      signal,
    );
  } finally {
    if (installed) session.close();
  }
}

const milestonesOf = (
  run: UpRun,
  linger: { lingers: boolean },
  reached: Reached,
  cameUp: () => CameUp,
): Milestones => ({
  onOpenable: () => reached.openable(cameUp()),
  onLingering: () => {
    linger.lingers = true;
    void noteLingering(run).then(() => reached.lingering(cameUp()));
  },
});

/** Everybody is told that it is up; the command goes on, and so does this `up`. */
async function noteLingering(run: UpRun): Promise<void> {
  const { entry, deps, tell } = run;
  deps.onLingering?.(entry.record.id);
  tell([
    "postAttachCommand is still running. It continues in the background, with its output in the log. The next up, or a down, ends it.",
  ]);
  await noteReady(run).catch((error: unknown) =>
    deps.log.warn("a workspace can't be noted as ready", { error }),
  );
}

/** `initializeCommand`. Its user has consented. */
async function runOnHost(
  { plan, configuration, log, stage }: UpRun,
  signal: AbortSignal,
): Promise<void> {
  const name = "initializeCommand";
  const steps = stepsOf(plan.file.initializeCommand);
  if (steps.length === 0) return;
  await stage(name, async () => {
    const runStep = hostRunner(await filesOf(configuration, signal));
    const outcome = await runSteps(steps, runStep, log, signal);
    if (outcome.code !== 0) throw commandFailure(name, outcome, log.path);
  });
}

async function findFeatures(
  { entry, plan, configuration, deps, log, stage }: UpRun,
  signal: AbortSignal,
): Promise<Resolution> {
  // In a container they're the reference implementation's business.
  if (plan.container !== undefined) return noFeatures;
  const engineOf = plan.engine === true ? deps.resources : undefined;
  if (plan.file.features === undefined && engineOf === undefined)
    return noFeatures;
  const found = await stage("configuration", () =>
    featuresOfFolder(
      configuration,
      { file: plan.file, kept: entry.record.made?.features ?? {}, engineOf },
      deps,
      signal,
    ),
  );
  for (const note of found.notes) log.note(note);
  return found;
}

async function noteReady({
  entry,
  configuration,
  plan,
  deps,
  log,
}: UpRun): Promise<void> {
  await deps.workspaces.leave(entry, {
    failed: undefined,
    fileDigest: configuration.digest,
    title: titleOf({ ...configuration, file: plan.file }),
  });
  log.mark("ready");
}

async function noteFailure(
  { entry, configuration, deps, log, current }: UpRun,
  error: unknown,
): Promise<void> {
  const state = failureState(current(), error);
  log.note(state.failure.message);
  await deps.workspaces.leave(entry, {
    failed: state,
    fileDigest: configuration.digest,
  });
}
