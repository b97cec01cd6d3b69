import { given } from "../../../base/given.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { freeName } from "../../machines/identity/names.ts";
import { featuresKey, type ResolvedFeature } from "../features/resolve.ts";
import type { UpWorkspaces, WorkspaceEntry } from "../known/knownWorkspaces.ts";
import type { Prebuilt } from "./prebuilt.ts";
import type { UpOrder, UpRun } from "./run.ts";

/**
 * Starts the workspace's machine; makes one first when there is none, of the prebuild that fits, else of the base image.
 * `features` are those that the file names.
 */
export const machineForUp = (
  run: UpRun,
  features: readonly ResolvedFeature[],
  signal: AbortSignal,
): Promise<Machine> =>
  run.stage("machine", async () => {
    const { workspaces, machines } = run.deps;
    const present = workspaces.machineOf(run.entry);
    const { id } = present ?? (await makeMachine(run, features, signal));
    return machines.start(id, signal);
  });

async function makeMachine(
  run: UpRun,
  features: readonly ResolvedFeature[],
  signal: AbortSignal,
): Promise<Machine> {
  const { entry, plan, log } = run;
  const { workspaces, machines, prebuilds } = run.deps;
  // Somebody may have given it to a machine of their own, while this one was gone.
  const name = freeName(
    entry.record.name,
    new Set(machines.list().map((each) => each.name)),
  );
  const prebuilt = await choosePrebuilt(run, features);
  const image = prebuilt?.image ?? plan.image;
  log.note(
    `a clone of ${image}, ${String(plan.size.cpus)} CPUs, ${String(plan.size.memoryMiB)} MiB, ${String(plan.size.diskGiB)} GiB`,
  );
  const machine = await machines.create(
    { name, image, ...draftOf(run) },
    signal,
  );
  if (prebuilt !== undefined) await prebuilds?.used(prebuilt.digest);
  await workspaces.rewrite(entry, {
    name,
    alias: machine.alias,
    made: madeOf(run, machine),
  });
  return machine;
}

/** What a prebuild has made of the files would lie below a mount. */
async function choosePrebuilt(
  { plan, params, configuration, deps, tell }: UpRun,
  features: readonly ResolvedFeature[],
): Promise<Prebuilt | undefined> {
  if (params.prebuild === false || plan.files !== "copy") return undefined;
  const key = featuresKey(features);
  const found = await deps.prebuilds?.choose(configuration, plan, key);
  if (found?.note !== undefined) tell([found.note]);
  return found?.kind === "fits" ? found.prebuilt : undefined;
}

const draftOf = ({
  plan,
  params,
}: UpOrder): Omit<ParsedParams<"machines.create">, "name" | "image"> => ({
  ...plan.size,
  ...given({ user: plan.user }),
  forwards: [...plan.forwards],
  ...(plan.file.customizations?.guesthouse?.screen === true
    ? { screen: true }
    : {}),
  start: false,
  ...given({ warm: params.warm, agentForwarding: params.agentForwarding }),
});

const madeOf = (
  { plan }: UpOrder,
  machine: Machine,
): NonNullable<WorkspaceEntry["record"]["made"]> => ({
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
});

/** The VM keeps the features that it has, whatever their names stand for later. */
export async function keepPins(
  entry: WorkspaceEntry,
  features: Record<string, string>,
  workspaces: Pick<UpWorkspaces, "rewrite">,
): Promise<void> {
  const { made } = entry.record;
  if (made === undefined) return;
  if (JSON.stringify(made.features ?? {}) === JSON.stringify(features)) return;
  await workspaces.rewrite(entry, { made: { ...made, features } });
}
