/*
 * Makes one prebuild, in a machine of its own that it owns from before it is made until it is deleted: whatever happens in
 * between, nothing of the machine stays, and a helper that dies leaves its name in the journal (`journal.ts`). Called by
 * `prebuilds.ts`, one at a time for each folder and file.
 */
import { createHash, randomBytes } from "node:crypto";
import { given } from "../../../base/given.ts";
import { sleep } from "../../../base/deadline.ts";
import { faultPoint } from "../../../base/faultPoint.ts";
import type { Result } from "../../../protocol/contract.ts";
import type { PrebuildStage } from "../../../protocol/prebuilds.ts";
import { failed, GuesthouseError } from "../../../protocol/failure.ts";
import type { Image, PrebuildSource } from "../../../protocol/images.ts";
import type { Machine } from "../../../protocol/machines.ts";
import type { ImageFacts } from "../../images/disks/facts.ts";
import { generalise } from "../../images/prepare/generalise.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { Images } from "../../images/images.ts";
import { connectSsh } from "../../ssh/session.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { stateFolder } from "../guest/guestScripts.ts";
import { remember } from "../guest/linuxGuest.ts";
import type { Plan } from "../up/plan.ts";
import { scratchWorkspace } from "./scratch.ts";
import { bringUp } from "../up/up.ts";
import type { UpDeps, UpParams } from "../up/upDeps.ts";
import { filesMark } from "../up/content.ts";
import { forgetMachine, noteMachine } from "./journal.ts";

export type OnPrebuilding = (progress: {
  readonly folder: string;
  readonly logId: string;
  readonly stage: PrebuildStage;
  readonly fraction?: number;
}) => void;

export interface PrebuildDeps extends Omit<UpDeps, "workspaces" | "prebuilds"> {
  readonly images: Pick<Images, "list" | "obtain" | "keep">;
  /** The product's `resources/`. */
  readonly resources: string;
  readonly onPrebuilding: OnPrebuilding;
}

export type Prebuilding = Result<"prebuilds.make">;

export interface PrebuildOrder {
  readonly configuration: Configuration;
  readonly plan: Plan;
  readonly params: UpParams;
  readonly base: GoldenImage;
  /** Of the image. */
  readonly name: string;
  readonly source: PrebuildSource;
}

/** Steps that a test may end the helper at; `keepDisk.ts` has two more. */
export const prebuildFaults = ["prebuild.ready", "prebuild.off"] as const;

/** Beginning of the names of prebuilds' machines. */
const machinePrefix = "prebuild-";

/**
 * Brings up a machine of its own until `updateContentCommand`, makes it forget who it is, keeps its disk as an image and
 * deletes it. Whatever happens nothing of the machine stays; what its commands said stays in the log. Throws as `bringUp`,
 * `generalise` and `Images.keep` do.
 */
export async function makePrebuild(
  order: PrebuildOrder,
  deps: PrebuildDeps,
  signal: AbortSignal,
): Promise<{ image: Image; stages: Prebuilding["stages"] }> {
  const { layout, images, onPrebuilding } = deps;
  const { configuration, base, source } = order;
  const { folder } = configuration;
  const name = `${machinePrefix}${randomBytes(4).toString("hex")}`;
  const logId = logIdOf(configuration);
  const stages: Prebuilding["stages"] = [];
  const stage = async <T>(
    what: PrebuildStage,
    work: () => Promise<T>,
  ): Promise<T> => {
    const startedAt = performance.now();
    onPrebuilding({ folder, logId, stage: what });
    const value = await work();
    stages.push({ stage: what, tookMs: performance.now() - startedAt });
    return value;
  };
  await noteMachine(layout, name);
  try {
    const scratch = { name, logId };
    const up = await bringUpScratch(order, scratch, deps, signal);
    stages.push(...up.stages);
    const machine = machineNamed(name, deps);
    if (machine === undefined)
      throw failed("workspaces.setupFailed", "The prebuild's VM is gone.", {
        remedy: "Somebody deleted it; make the prebuild again.",
        actions: ["retry"],
      });
    faultPoint("prebuild.ready");
    const facts = await stage("generalise", () =>
      switchOff(machine, source.content, deps, signal),
    );
    faultPoint("prebuild.off");
    const image = await stage("keep", () =>
      images.keep(
        {
          name: order.name,
          title: `${source.title}, prebuild of ${source.base.name}`,
          diskPath: layout.machine(machine.id).disk,
          base: base.digest,
          defaultUser: machine.user,
          source,
          facts,
        },
        ({ fraction }) =>
          onPrebuilding({
            folder,
            logId,
            stage: "keep",
            ...given({ fraction }),
          }),
        signal,
      ),
    );
    return { image, stages };
  } catch (error) {
    throw told(error, layout.workspace(logId).log);
  } finally {
    await removeScratch(name, deps);
  }
}

const machineNamed = (
  name: string,
  { machines }: PrebuildDeps,
): Machine | undefined => machines.list().find((each) => each.name === name);

async function removeScratch(name: string, deps: PrebuildDeps): Promise<void> {
  const left = machineNamed(name, deps);
  if (left !== undefined)
    await deps.machines
      .remove(left.id, { discard: true }, AbortSignal.timeout(60_000))
      .catch((error: unknown) =>
        deps.log.warn("a prebuild's machine is left", { name, error }),
      );
  // Kept where the machine is still there: the next helper tries again.
  if (machineNamed(name, deps) === undefined)
    await forgetMachine(deps.layout, name);
}

/** The same for each prebuild of a folder and its file, and no workspace's. */
export const logIdOf = ({
  folder,
  path,
}: Pick<Configuration, "folder" | "path">): string =>
  createHash("sha256")
    .update(JSON.stringify(["prebuild", folder, path ?? null]))
    .digest("hex")
    .slice(0, 16);

/** Brings the prebuild's machine up as every folder's, with ports that nobody needs. */
function bringUpScratch(
  { configuration, plan, params, base }: PrebuildOrder,
  { name, logId }: { readonly name: string; readonly logId: string },
  deps: PrebuildDeps,
  signal: AbortSignal,
): Promise<{ readonly stages: Prebuilding["stages"] }> {
  const { layout, machines, onPrebuilding } = deps;
  const { folder } = configuration;
  const { entry, workspaces } = scratchWorkspace(
    { id: logId, folder, name, logPath: layout.workspace(logId).log },
    machines,
    (stage) => onPrebuilding({ folder, logId, stage }),
  );
  return bringUp(
    {
      entry,
      configuration,
      plan: {
        ...plan,
        image: base.name,
        forwards: [],
        last: "updateContentCommand",
      },
      params,
    },
    { ...deps, workspaces },
    signal,
  ).ended;
}

const offTimeoutMs = 120_000;

/** Leaves in the guest what its clones must know, makes it forget the rest, and waits until it has switched itself off. */
async function switchOff(
  machine: Machine,
  content: string,
  { reach, resources, machines }: PrebuildDeps,
  signal: AbortSignal,
): Promise<ImageFacts> {
  const session = await connectSsh(
    await reach.target(machine.id, signal),
    {},
    signal,
  );
  let facts: ImageFacts;
  try {
    await remember(session, "files", filesMark(content), signal);
    // It may hold secrets of the host's environment; every `up` writes it anew.
    await session.exec(`rm -f ${stateFolder}/environment`, {}, signal);
    facts = await generalise(
      { session, user: machine.user },
      resources,
      signal,
    );
  } finally {
    session.close();
  }
  const deadline = Date.now() + offTimeoutMs;
  for (;;) {
    const state = machines.list().find(({ id }) => id === machine.id)?.state;
    if (state?.kind === "stopped") return facts;
    if (Date.now() > deadline)
      throw failed(
        "workspaces.setupFailed",
        "The prebuild's VM did not switch itself off.",
        { remedy: "Make the prebuild again.", actions: ["retry"] },
      );
    await sleep(200, signal);
  }
}

/** The machine of a prebuild is not kept, whatever an `up` would say here. */
function told(error: unknown, logPath: string): unknown {
  if (
    !(error instanceof GuesthouseError) ||
    error.failure.code !== "workspaces.commandFailed" ||
    error.failure.message.startsWith("initializeCommand")
  )
    return error;
  return failed("workspaces.commandFailed", error.failure.message, {
    remedy: `The whole output is in ${logPath}. Mend the command and make the prebuild again; to look into a VM where it failed, bring the folder up with --no-prebuild.`,
    actions: ["retry"],
    cause: error,
  });
}
