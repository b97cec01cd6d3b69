import { promiseWithResolvers } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import type { CameUp, UpStage } from "../../../protocol/devcontainers.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { Http } from "../../images/http.ts";
import { freeName } from "../../machines/names.ts";
import type { Reach } from "../../ssh/reach.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import type { Layout } from "../../store/layout.ts";
import type { OnProgress } from "../copy.ts";
import { copyFolderIn } from "../copyFolder.ts";
import { stepsOf } from "../devcontainer/commands.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { substitute } from "../devcontainer/variables.ts";
import { hooksOf } from "../features/merge.ts";
import { featuresOfFolder, pinsOf } from "../features/ofFolder.ts";
import { featuresKey, noFeatures } from "../features/resolve.ts";
import { setUpFeatures } from "../features/stage.ts";
import type { PrebuildFinder } from "../prebuild/choose.ts";
import { filesCameWith, freshMarks } from "../prebuild/clone.ts";
import type { DiskWay } from "../sendByDisk.ts";
import { dueCommands, isAfter } from "./due.ts";
import { CommandFailure, commandFailure, failureState } from "./failure.ts";
import {
  guestRunner,
  prepareGuest,
  remember,
  writeEnvironment,
} from "./guest.ts";
import { hostRunner } from "./hostCommand.ts";
import { openLog, type WorkspaceLog } from "./log.ts";
import type { MachineVerbs } from "./machineVerbs.ts";
import type { Plan } from "./plan.ts";
import {
  titleOf,
  type WorkspaceEntry,
  type WorkspaceRegistry,
} from "./registry.ts";
import { bringBackTo, filesOf, sourceIn } from "./source.ts";
import { runSteps } from "./steps.ts";

export interface UpDeps {
  readonly layout: Layout;
  readonly log: Log;
  readonly registry: Pick<
    WorkspaceRegistry,
    "machineOf" | "rewrite" | "tell" | "view"
  >;
  readonly machines: MachineVerbs;
  readonly reach: Pick<Reach, "target">;
  /** For features. */
  readonly http: Http;
  readonly onLogged: (id: string, offset: number, text: string) => void;
  readonly onCopied: (machine: string) => OnProgress;
  /** See `WorkspaceHandlerDeps`. */
  readonly diskWay?: (id: string) => DiskWay;
  /** Without it every new machine is made of the base image. */
  readonly prebuilds?: PrebuildFinder;
}

export type UpParams = ParsedParams<"workspaces.up">;

/** An `up` under way. */
export interface Up {
  /** Settles where the file's `waitFor` lets an editor open, or with `ended`. */
  readonly openable: Promise<CameUp>;
  readonly ended: Promise<CameUp>;
}

/**
 * Brings a workspace's VM up, as far as that was not done before: machine, features, files, environment, commands. The caller holds
 * the workspace's lock until `ended` settles, and has asked for consent where a command runs on the host. What fails is recorded, and the VM kept; the next call goes on from there.
 */
export function bringUp(
  entry: WorkspaceEntry,
  configuration: Configuration,
  plan: Plan,
  params: UpParams,
  deps: UpDeps,
  signal: AbortSignal,
): Up {
  const openable = promiseWithResolvers<CameUp>();
  const ended = perform(
    entry,
    configuration,
    plan,
    params,
    deps,
    openable.resolve,
    signal,
  );
  ended.then(openable.resolve, openable.reject);
  return { openable: openable.promise, ended };
}

async function perform(
  entry: WorkspaceEntry,
  configuration: Configuration,
  plan: Plan,
  params: UpParams,
  deps: UpDeps,
  onOpenable: (cameUp: CameUp) => void,
  signal: AbortSignal,
): Promise<CameUp> {
  const { registry, machines, layout } = deps;
  const { id } = entry.record;
  const notes = [...plan.notes, ...changesOf(entry, configuration, plan)];
  const stages: CameUp["stages"] = [];
  const log = await openLog(
    layout.workspace(id).log,
    `${new Date().toISOString()} ${configuration.folder}${configuration.branch === undefined ? "" : `, branch ${configuration.branch}`}`,
    (offset, text) => deps.onLogged(id, offset, text),
  );
  for (const { message } of plan.warnings) log.note(`warning: ${message}`);
  for (const note of notes) log.note(note);

  let current: UpStage = "configuration";
  const stage = async <T>(
    name: UpStage,
    work: () => Promise<T>,
  ): Promise<T> => {
    current = name;
    const startedAt = performance.now();
    entry.working = { kind: "working", stage: name, sinceMs: Date.now() };
    registry.tell(entry);
    log.mark(name);
    const value = await work();
    stages.push({ stage: name, tookMs: performance.now() - startedAt });
    return value;
  };
  const cameUp = (machine: Machine): CameUp => ({
    workspace: registry.view(entry),
    alias: machine.alias,
    remoteFolder: entry.record.made?.workspaceFolder ?? "",
    user: machine.user,
    forwards: machine.runtime?.forwards ?? [],
    notes: [...notes],
    warnings: [...plan.warnings],
    stages: [...stages],
  });

  let session: SshSession | undefined;
  try {
    const onHost = stepsOf(plan.file.initializeCommand);
    if (params.initialize === "run" && onHost.length > 0)
      await stage("initializeCommand", async () => {
        const run = hostRunner(await filesOf(configuration, signal));
        const outcome = await runSteps(onHost, run, log, signal);
        if (outcome.code !== 0)
          throw commandFailure(current, outcome, log.path);
      });
    // Before a VM is made: what can't be found is no reason for one.
    const found =
      plan.file.features === undefined
        ? noFeatures
        : await stage("configuration", () =>
            featuresOfFolder(
              configuration,
              plan.file,
              entry.record.made?.features ?? {},
              deps,
              signal,
            ),
          );
    const { features } = found;
    for (const note of found.notes) log.note(note);
    const machine = await stage("machine", () =>
      startMachine(
        entry,
        configuration,
        plan,
        featuresKey(features),
        params,
        log,
        (note) => notes.push(note),
        deps,
        signal,
      ),
    );
    await keepPins(entry, pinsOf(found), registry);
    const made = entry.record.made ?? plan.placing;
    const target = await deps.reach.target(machine.id, signal);
    session = await connectSsh(target, {}, signal);
    const connected = session;
    const memory = await prepareGuest(connected, made.target, signal);
    const featuresEnv = await setUpFeatures(
      connected,
      features,
      memory.marks,
      { remote: machine.user, container: plan.file.containerUser },
      (work) => stage("features", work),
      log,
      signal,
    );
    let { marks } = memory;
    if (marks.get("files") !== "once")
      await stage("files", async () => {
        await filesOf(configuration, signal);
        const folder = sourceIn(configuration, plan.placing.source);
        const { files, guestFolder } = await copyFolderIn(
          connected,
          {
            folder,
            target: made.target,
            // What a prebuild's commands made of the files is nobody's work.
            overwrite: filesCameWith(marks) !== undefined,
            ...(deps.diskWay === undefined
              ? {}
              : { disk: deps.diskWay(machine.id) }),
          },
          deps.onCopied(machine.id),
          signal,
        );
        marks = await freshMarks(connected, folder, marks, log, signal);
        await remember(connected, "files", "once", signal);
        await machines.noteFolder(machine.id, {
          ...bringBackTo(configuration, plan.placing.source),
          guest: guestFolder,
        });
        log.note(`${String(files)} files copied to ${guestFolder}`);
      });
    await stage("environment", async () => {
      const found = await writeEnvironment(
        connected,
        {
          ...plan.file,
          containerEnv: { ...featuresEnv, ...plan.file.containerEnv },
        },
        (containerEnv) =>
          substitute(plan.file.remoteEnv ?? {}, {
            ...plan.variables,
            containerEnv,
          }),
        signal,
      );
      for (const note of found) log.note(note);
      notes.push(...found);
    });
    const run = guestRunner(connected, made.workspaceFolder);
    let opened = false;
    const hooks = hooksOf(features, plan.variables);
    const { file, last } = plan;
    for (const due of dueCommands(file, marks, memory.bootId, hooks, last)) {
      if (!opened && isAfter(due.name, plan.file.waitFor)) {
        opened = true;
        onOpenable(cameUp(machine));
      }
      await stage(due.name, async () => {
        if (due.title !== due.name) log.note(due.title);
        const outcome = await runSteps(due.steps, run, log, signal);
        if (outcome.code !== 0)
          throw commandFailure(due.title, outcome, log.path);
        if (due.mark !== undefined)
          await remember(connected, due.mark.name, due.mark.value, signal);
      });
    }
    entry.working = undefined;
    await registry.rewrite(entry, {
      failed: undefined,
      fileDigest: configuration.digest,
      title: titleOf({ ...configuration, file: plan.file }),
    });
    log.mark("ready");
    return cameUp(machine);
  } catch (error) {
    entry.working = undefined;
    const state = failureState(current, error);
    log.note(state.failure.message);
    await registry.rewrite(entry, {
      failed: state,
      fileDigest: configuration.digest,
    });
    throw error instanceof CommandFailure ? error.told : error;
  } finally {
    session?.close();
    await log.flush();
  }
}

/** Starts the workspace's machine; makes one first when there is none. */
async function startMachine(
  entry: WorkspaceEntry,
  configuration: Configuration,
  plan: Plan,
  features: string,
  params: UpParams,
  log: WorkspaceLog,
  onNote: (note: string) => void,
  { registry, machines, prebuilds }: UpDeps,
  signal: AbortSignal,
): Promise<Machine> {
  const present = registry.machineOf(entry);
  if (present !== undefined) return machines.start(present.id, signal);
  // Somebody may have given it to a machine of their own, while this one was gone.
  const name = freeName(
    entry.record.name,
    new Set(machines.list().map((each) => each.name)),
  );
  const found =
    params.prebuild === false
      ? undefined
      : await prebuilds?.choose(configuration, plan, features);
  if (found?.note !== undefined) {
    log.note(found.note);
    onNote(found.note);
  }
  const prebuilt = found?.kind === "fits" ? found.prebuilt : undefined;
  const image = prebuilt?.image ?? plan.image;
  log.note(
    `a clone of ${image}, ${String(plan.size.cpus)} CPUs, ${String(plan.size.memoryMiB)} MiB, ${String(plan.size.diskGiB)} GiB`,
  );
  const machine = await machines.create(
    {
      name,
      image,
      ...plan.size,
      ...(plan.user === undefined ? {} : { user: plan.user }),
      forwards: [...plan.forwards],
      start: false,
      ...(params.warm === undefined ? {} : { warm: params.warm }),
    },
    signal,
  );
  if (prebuilt !== undefined) await prebuilds?.used(prebuilt.digest);
  await registry.rewrite(entry, {
    name,
    alias: machine.alias,
    made: {
      machine: machine.id,
      user: machine.user,
      target: plan.placing.target,
      workspaceFolder: plan.placing.workspaceFolder,
      shapeDigest: plan.shapeDigest,
    },
  });
  return machines.start(machine.id, signal);
}

/** The VM keeps the features that it has, whatever their names stand for later. */
async function keepPins(
  entry: WorkspaceEntry,
  features: Record<string, string>,
  registry: UpDeps["registry"],
): Promise<void> {
  const { made } = entry.record;
  if (made === undefined) return;
  if (JSON.stringify(made.features ?? {}) === JSON.stringify(features)) return;
  await registry.rewrite(entry, { made: { ...made, features } });
}

/** What has changed in the file since it was last brought up, while its VM is still there. */
function changesOf(
  { record }: WorkspaceEntry,
  { digest, path }: Configuration,
  { shapeDigest }: Plan,
): string[] {
  if (record.made === undefined) return [];
  const file = path ?? "The configuration";
  if (record.made.shapeDigest !== shapeDigest)
    return [
      `${file} has changed what the VM is made of (image, size, user, ports or folders): guesthouse rebuild makes it anew.`,
    ];
  return record.fileDigest === undefined || record.fileDigest === digest
    ? []
    : [`${file} has changed since the last up.`];
}
