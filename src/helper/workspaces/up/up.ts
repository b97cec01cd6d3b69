import { promiseWithResolvers } from "../../../base/deadline.ts";
import type { CameUp, UpStage } from "../../../protocol/devcontainers.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import { stepsOf } from "../devcontainer/commands.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { substitute } from "../devcontainer/variables.ts";
import { hooksOf, mergedCustomizations } from "../features/merge.ts";
import { featuresOfFolder, pinsOf } from "../features/ofFolder.ts";
import { featuresKey, noFeatures } from "../features/resolve.ts";
import { setUpFeatures } from "../features/stage.ts";
import { filesCameWith, freshMarks } from "../prebuild/clone.ts";
import { applyEditor } from "../editor/apply.ts";
import { shareOf } from "../share/ofWorkspace.ts";
import { dotfilesFailed, planDotfiles } from "../editor/dotfiles.ts";
import { dueCommands, isAfter } from "./due.ts";
import { CommandFailure, commandFailure, failureState } from "./failure.ts";
import { guestWays } from "./guestWays.ts";
import { hostRunner } from "./hostCommand.ts";
import { openLog } from "./log.ts";
import { keepPins, startMachine } from "./machine.ts";
import type { Plan } from "./plan.ts";
import { titleOf, type WorkspaceEntry } from "./registry.ts";
import { bringBackTo, filesOf, sourceIn } from "./source.ts";
import { runSteps } from "./steps.ts";
import type { UpDeps, UpParams } from "./upDeps.ts";

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
  entry.outdated = outdatedBy(entry, configuration, plan);
  const notes = [
    ...plan.notes,
    ...(entry.outdated === undefined
      ? changesOf(entry, configuration)
      : [entry.outdated]),
  ];
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
    for (const note of found.notes) log.note(note);
    const machine = await stage("machine", () =>
      startMachine(
        entry,
        configuration,
        plan,
        featuresKey(found.features),
        params,
        log,
        (note) => notes.push(note),
        deps,
        signal,
      ),
    );
    await keepPins(entry, pinsOf(found), registry);
    const tell = (told: readonly string[]): void => {
      for (const note of told) log.note(note);
      notes.push(...told);
    };
    const guest = guestWays[machine.os];
    const features = guest.isPosix ? found.features : [];
    const made = entry.record.made ?? plan.placing;
    const target = await deps.reach.target(machine.id, signal);
    session = await connectSsh(target, {}, signal);
    const connected = session;
    const share = shareOf(entry.record.made);
    // Before anything looks at the folder: a mount that nobody serves lets it wait.
    if (share !== undefined && deps.shares?.isMounted(machine.id) !== true)
      await stage("files", async () => {
        await deps.shares?.ensure(machine.id, signal);
        log.note(
          `${share.folder} is mounted at ${share.target}${share.readonly ? ", for reading only" : ""}`,
        );
      });
    const memory = await guest.prepare(connected, made.target, signal);
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
    if (share === undefined && marks.get("files") !== "once")
      await stage("files", async () => {
        await filesOf(configuration, signal);
        const folder = sourceIn(configuration, plan.placing.source);
        const copied = await guest.copyIn(
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
          marks,
          deps.onCopied(machine.id),
          signal,
        );
        tell(copied.notes ?? []);
        const { files, guestFolder } = copied;
        marks = await freshMarks(connected, folder, marks, log, signal);
        await guest.remember(connected, "files", "once", signal);
        await machines.noteFolder(machine.id, {
          ...bringBackTo(configuration, plan.placing.source),
          guest: guestFolder,
        });
        log.note(`${String(files)} files copied to ${guestFolder}`);
      });
    await stage("environment", async () => {
      let remoteEnv = plan.file.remoteEnv ?? {};
      tell(
        await guest.writeEnvironment(
          connected,
          {
            ...plan.file,
            containerEnv: { ...featuresEnv, ...plan.file.containerEnv },
          },
          (containerEnv) =>
            (remoteEnv = substitute(remoteEnv, {
              ...plan.variables,
              containerEnv,
            })),
          signal,
        ),
      );
      const { serverFolder } = params;
      if (!guest.isPosix) {
        tell(leftOutOf(plan.file, found.features, params));
        return;
      }
      tell(
        await applyEditor(
          connected,
          { registry, entry },
          {
            file: {
              ...plan.file,
              customizations: mergedCustomizations(features, plan.file),
            },
            remoteEnv,
            serverFolder,
            marks,
          },
          signal,
        ),
      );
    });
    const dotfiles = planDotfiles(guest.isPosix ? params.dotfiles : undefined);
    const run = guest.runner(
      connected,
      made.workspaceFolder,
      params.secrets,
      dotfiles.hidden,
    );
    let opened = false;
    const hooks = hooksOf(features, plan.variables);
    const { file, last } = plan;
    entry.mishap = undefined;
    for (const due of dueCommands(file, marks, memory.bootId, {
      hooks,
      dotfiles: dotfiles.steps,
      last,
      steps: guest.stepsOf,
    })) {
      if (!opened && isAfter(due.name, plan.file.waitFor)) {
        opened = true;
        onOpenable(cameUp(machine));
      }
      await stage(due.name, async () => {
        if (due.title !== due.name) log.note(due.title);
        const outcome = await runSteps(due.steps, run, log, signal);
        if (outcome.code !== 0 && due.name === "dotfiles") {
          entry.mishap = dotfilesFailed(outcome.code, log.path);
          tell([entry.mishap]);
          return;
        }
        if (outcome.code !== 0)
          throw commandFailure(due.title, outcome, log.path);
        if (due.mark !== undefined)
          await guest.remember(
            connected,
            due.mark.name,
            due.mark.value,
            signal,
          );
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

/** What is done by scripts for Linux, and so not in this guest. */
function leftOutOf(
  { customizations }: Plan["file"],
  features: readonly unknown[],
  { dotfiles }: UpParams,
): string[] {
  const left = [
    ...(features.length === 0 ? [] : ["features"]),
    ...(customizations?.vscode === undefined
      ? []
      : ["customizations.vscode (settings, extensions)"]),
    ...(dotfiles === undefined ? [] : ["dotfiles"]),
  ];
  return left.length === 0
    ? []
    : [`Left out in a VM with Windows so far: ${left.join(", ")}.`];
}

/** What the file says of the VM now, and the VM, made before, is not. */
function outdatedBy(
  { record }: WorkspaceEntry,
  { path = "The configuration" }: Configuration,
  { shapeDigest }: Plan,
): string | undefined {
  return record.made === undefined || record.made.shapeDigest === shapeDigest
    ? undefined
    : `${path} has changed what the VM is made of (image, size, user, ports or folders); only a rebuild takes that up.`;
}

/** Whether the file has changed since it was last brought up, while its VM is still there. */
function changesOf(
  { record }: WorkspaceEntry,
  { digest, path = "The configuration" }: Configuration,
): string[] {
  return record.made === undefined ||
    record.fileDigest === undefined ||
    record.fileDigest === digest
    ? []
    : [`${path} has changed since the last up.`];
}
