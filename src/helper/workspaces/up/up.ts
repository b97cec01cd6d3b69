import { promiseWithResolvers } from "../../../base/deadline.ts";
import type { Log } from "../../../base/log.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import type { CameUp, UpStage } from "../../../protocol/devcontainers.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { freeName } from "../../machines/names.ts";
import type { Reach } from "../../ssh/reach.ts";
import { connectSsh, type SshSession } from "../../ssh/session.ts";
import type { Layout } from "../../store/layout.ts";
import type { OnProgress } from "../copy.ts";
import { copyFolderIn } from "../copyFolder.ts";
import { stepsOf } from "../devcontainer/commands.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { substitute } from "../devcontainer/variables.ts";
import type { DiskWay } from "../sendByDisk.ts";
import { applyEditor } from "../editor/apply.ts";
import { dotfilesFailed, planDotfiles } from "../editor/dotfiles.ts";
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
import { runSteps } from "./steps.ts";

export interface UpDeps {
  readonly layout: Layout;
  readonly log: Log;
  readonly registry: WorkspaceRegistry;
  readonly machines: MachineVerbs;
  readonly reach: Pick<Reach, "target">;
  readonly onLogged: (id: string, offset: number, text: string) => void;
  readonly onCopied: (machine: string) => OnProgress;
  /** See `WorkspaceHandlerDeps`. */
  readonly diskWay?: (id: string) => DiskWay;
}

export type UpParams = ParsedParams<"workspaces.up">;

/** An `up` under way. */
export interface Up {
  /** Settles where the file's `waitFor` lets an editor open, or with `ended`. */
  readonly openable: Promise<CameUp>;
  readonly ended: Promise<CameUp>;
}

/**
 * Brings a workspace's VM up, as far as that was not done before: machine, files, environment, commands. The caller holds
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
    `${new Date().toISOString()} ${configuration.folder}`,
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
        const run = hostRunner(configuration.folder);
        const outcome = await runSteps(onHost, run, log, signal);
        if (outcome.code !== 0)
          throw commandFailure(current, outcome, log.path);
      });
    const machine = await stage("machine", () =>
      startMachine(entry, plan, params, log, deps, signal),
    );
    const made = entry.record.made ?? plan.placing;
    const target = await deps.reach.target(machine.id, signal);
    session = await connectSsh(target, {}, signal);
    const connected = session;
    const memory = await prepareGuest(connected, made.target, signal);
    if (memory.marks.get("files") !== "once")
      await stage("files", async () => {
        const { files, guestFolder } = await copyFolderIn(
          connected,
          {
            folder: plan.placing.source,
            target: made.target,
            ...(deps.diskWay === undefined
              ? {}
              : { disk: deps.diskWay(machine.id) }),
          },
          deps.onCopied(machine.id),
          signal,
        );
        await remember(connected, "files", "once", signal);
        await machines.noteFolder(machine.id, {
          local: plan.placing.source,
          guest: guestFolder,
        });
        log.note(`${String(files)} files copied to ${guestFolder}`);
      });
    const tell = (found: readonly string[]): void => {
      for (const note of found) log.note(note);
      notes.push(...found);
    };
    await stage("environment", async () => {
      let remoteEnv = plan.file.remoteEnv ?? {};
      tell(
        await writeEnvironment(
          connected,
          plan.file,
          (containerEnv) =>
            (remoteEnv = substitute(remoteEnv, {
              ...plan.variables,
              containerEnv,
            })),
          signal,
        ),
      );
      const { serverFolder } = params;
      tell(
        await applyEditor(
          connected,
          { registry, entry },
          { file: plan.file, remoteEnv, serverFolder, marks: memory.marks },
          signal,
        ),
      );
    });
    const dotfiles = planDotfiles(params.dotfiles);
    const run = guestRunner(
      connected,
      made.workspaceFolder,
      params.secrets,
      dotfiles.hidden,
    );
    let opened = false;
    entry.mishap = undefined;
    for (const due of dueCommands(
      plan.file,
      memory.marks,
      memory.bootId,
      dotfiles.steps,
    )) {
      if (!opened && isAfter(due.name, plan.file.waitFor)) {
        opened = true;
        onOpenable(cameUp(machine));
      }
      await stage(due.name, async () => {
        const outcome = await runSteps(due.steps, run, log, signal);
        if (outcome.code !== 0 && due.name === "dotfiles") {
          entry.mishap = dotfilesFailed(outcome.code, log.path);
          tell([entry.mishap]);
          return;
        }
        if (outcome.code !== 0)
          throw commandFailure(due.name, outcome, log.path);
        if (due.mark !== undefined)
          await remember(connected, due.name, due.mark, signal);
      });
    }
    entry.working = undefined;
    await registry.rewrite(entry, {
      failed: undefined,
      fileDigest: configuration.digest,
      title: titleOf({ file: plan.file, folder: configuration.folder }),
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
  plan: Plan,
  params: UpParams,
  log: WorkspaceLog,
  { registry, machines }: UpDeps,
  signal: AbortSignal,
): Promise<Machine> {
  const present = registry.machineOf(entry);
  if (present !== undefined) return machines.start(present.id, signal);
  // Somebody may have given it to a machine of their own, while this one was gone.
  const name = freeName(
    entry.record.name,
    new Set(machines.list().map((each) => each.name)),
  );
  log.note(
    `a clone of ${plan.image}, ${String(plan.size.cpus)} CPUs, ${String(plan.size.memoryMiB)} MiB, ${String(plan.size.diskGiB)} GiB`,
  );
  const machine = await machines.create(
    {
      name,
      image: plan.image,
      ...plan.size,
      ...(plan.user === undefined ? {} : { user: plan.user }),
      forwards: [...plan.forwards],
      start: false,
      ...(params.warm === undefined ? {} : { warm: params.warm }),
    },
    signal,
  );
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
