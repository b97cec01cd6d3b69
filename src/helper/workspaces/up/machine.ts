import type { Machine } from "../../../protocol/machines.ts";
import { freeName } from "../../machines/names.ts";
import type { Configuration } from "../devcontainer/read.ts";
import type { WorkspaceLog } from "./log.ts";
import type { Plan } from "./plan.ts";
import type { WorkspaceEntry } from "./registry.ts";
import type { UpDeps, UpParams } from "./upDeps.ts";

/**
 * Starts the workspace's machine; makes one first when there is none, of the prebuild that fits, else of the base image.
 * `features` is the key of those that the file names.
 */
export async function startMachine(
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
    // What a prebuild has made of the files would lie below the mount.
    params.prebuild === false || plan.files !== "copy"
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
      ...(plan.file.customizations?.guesthouse?.screen === true
        ? { screen: true }
        : {}),
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
      ...(plan.files === "copy"
        ? {}
        : {
            share: {
              folder: plan.placing.source,
              readonly: plan.files === "share-readonly",
            },
          }),
      shapeDigest: plan.shapeDigest,
    },
  });
  return machines.start(machine.id, signal);
}

/** The VM keeps the features that it has, whatever their names stand for later. */
export async function keepPins(
  entry: WorkspaceEntry,
  features: Record<string, string>,
  registry: UpDeps["registry"],
): Promise<void> {
  const { made } = entry.record;
  if (made === undefined) return;
  if (JSON.stringify(made.features ?? {}) === JSON.stringify(features)) return;
  await registry.rewrite(entry, { made: { ...made, features } });
}
