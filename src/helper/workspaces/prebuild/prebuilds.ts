/*
 * The prebuilds that are being made now, one at a time for each folder and file, and the answer to which one a new VM is
 * cloned from. Nothing is kept in memory but what is under way: the images themselves are the record. Wired in
 * `daemon/rooms/workspaces.ts`; asked by `up/machine.ts` through the port in `up/prebuilt.ts`.
 */
import { utimes, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { KeyedMutex } from "../../../base/mutex.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Image } from "../../../protocol/images.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { featuresOfFolder } from "../features/ofFolder.ts";
import { featuresKey } from "../features/resolve.ts";
import { guestOps } from "../guest/systems.ts";
import type { Plan } from "../up/plan.ts";
import { sourceIn } from "../known/source.ts";
import { titleOf, workspaceId } from "../known/knownWorkspaces.ts";
import type { UpParams } from "../up/upDeps.ts";
import { choosePrebuild, prebuiltOf } from "./choose.ts";
import type { PrebuildChoice, PrebuildFinder } from "../up/prebuilt.ts";
import { contentDigest } from "../up/content.ts";
import { keysOfPlan } from "./keyFiles.ts";
import { removeAbandoned } from "./journal.ts";
import { prebuildName } from "./key.ts";
import {
  makePrebuild,
  type PrebuildDeps,
  type Prebuilding,
  type PrebuildOrder,
} from "./make.ts";

/** Makes prebuilds of folders, and finds the one that a new VM can be cloned from. */
export interface Prebuilds extends PrebuildFinder {
  /** One at a time for each folder and file. Whoever may run what the file wants on the host was asked before. */
  make(
    configuration: Configuration,
    plan: Plan,
    params: UpParams & { readonly force?: boolean | undefined },
    signal: AbortSignal,
  ): Promise<Prebuilding>;
  busy(): boolean;
  /** Ends what is under way, with its machines. */
  close(): Promise<void>;
}

type MakeParams = Parameters<Prebuilds["make"]>[2];

/** Takes away what an earlier helper left of its prebuilds, too. */
export async function createPrebuilds(deps: PrebuildDeps): Promise<Prebuilds> {
  const { layout, images, machines, log } = deps;
  const locks = new KeyedMutex();
  const running = new Set<AbortController>();
  const endings = new Set<Promise<unknown>>();
  await removeAbandoned(layout, machines, log);
  return {
    choose: async (configuration, plan, features) =>
      chooseFor(configuration, plan, features, await images.list()),
    used: (digest) => noteUse(layout.image(digest).used),
    make: async (configuration, plan, params, signal) => {
      const controller = new AbortController();
      const onAbort = (): void => controller.abort();
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      running.add(controller);
      const ended = locks.run(workspaceId(configuration), () =>
        findOrMake({ configuration, plan, params }, deps, controller.signal),
      );
      const settled = ended.catch(() => undefined);
      endings.add(settled);
      try {
        return await ended;
      } finally {
        endings.delete(settled);
        running.delete(controller);
        signal.removeEventListener("abort", onAbort);
      }
    },
    busy: () => running.size > 0,
    close: async () => {
      for (const controller of running) controller.abort();
      await Promise.all(endings);
    },
  };
}

async function chooseFor(
  configuration: Configuration,
  plan: Plan,
  features: string,
  all: readonly Image[],
): Promise<PrebuildChoice> {
  const base = all.find(({ name }) => name === plan.image);
  if (base === undefined) return { kind: "none" };
  const { digest, architecture } = base;
  const ingredients = { featuresKey: features, digest, architecture };
  return choosePrebuild(all, {
    keys: await keysOfPlan(configuration, plan, ingredients),
    base: plan.image,
    workspace: workspaceId(configuration),
    diskGiB: plan.size.diskGiB,
  });
}

/** Only what reclaiming space goes by: no reason for an `up` to fail. */
async function noteUse(path: string): Promise<void> {
  const now = new Date();
  await writeFile(path, "", { mode: 0o600 })
    .then(() => utimes(path, now, now))
    .catch(() => undefined);
}

/** The prebuild that is there of the same file and the same content, unless it is to be made in any case. */
async function findOrMake(
  wish: {
    readonly configuration: Configuration;
    readonly plan: Plan;
    readonly params: MakeParams;
  },
  deps: PrebuildDeps,
  signal: AbortSignal,
): Promise<Prebuilding> {
  const { configuration, plan, params } = wish;
  const { images } = deps;
  const base = await images.obtain(plan.image, {}, undefined, signal);
  demandPossible(base);
  const { features } = await featuresOfFolder(
    configuration,
    {
      file: plan.file,
      kept: {},
      engineOf: plan.engine === true ? deps.resources : undefined,
    },
    deps,
    signal,
  );
  const { digest, architecture } = base;
  const { key, fileKey } = await keysOfPlan(configuration, plan, {
    featuresKey: featuresKey(features),
    digest,
    architecture,
  });
  if (key === undefined) throw new Error("a base image without a digest");
  const content = await contentDigest(
    sourceIn(configuration, plan.placing.source),
    signal,
  );
  const present = (await images.list()).find((image) => {
    const source = prebuiltOf(image)?.source;
    return source?.key === key && source.content === content;
  });
  const told = { notes: [...plan.notes], warnings: [...plan.warnings] };
  if (present !== undefined && params.force !== true)
    return { image: present, made: false, stages: [], ...told };
  const order: PrebuildOrder = {
    ...wish,
    base,
    name: prebuildName(basename(configuration.folder), key),
    source: {
      kind: "prebuild",
      title: titleOf({ ...configuration, file: plan.file }),
      key,
      fileKey,
      content,
      base: { name: base.name, digest: base.digest },
      madeAt: new Date().toISOString(),
      workspace: workspaceId(configuration),
    },
  };
  const { image, stages } = await makePrebuild(order, deps, signal);
  return { image, made: true, stages, ...told };
}

function demandPossible({ os }: GoldenImage): void {
  const { can, title } = guestOps[os];
  if (!can.prebuild)
    throw refused(
      "workspaces.notSupported",
      `A prebuild can't be made of a ${title} image yet.`,
      { remedy: "Bring the folder up without one." },
    );
}
