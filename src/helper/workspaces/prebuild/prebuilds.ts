import { utimes, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { KeyedMutex } from "../../../base/mutex.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { featuresOfFolder } from "../features/ofFolder.ts";
import { featuresKey } from "../features/resolve.ts";
import type { Plan } from "../up/plan.ts";
import { filesOf, sourceIn } from "../up/source.ts";
import { titleOf, workspaceId } from "../up/registry.ts";
import type { UpParams } from "../up/upDeps.ts";
import { choosePrebuild, type PrebuildFinder, prebuiltOf } from "./choose.ts";
import { contentDigest, readKeyFiles } from "./content.ts";
import { removeAbandoned } from "./journal.ts";
import { type PrebuildKeys, prebuildKeys, prebuildName } from "./key.ts";
import { makePrebuild, type PrebuildDeps, type Prebuilding } from "./make.ts";

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

/** Takes away what an earlier helper left of its prebuilds, too. */
export async function createPrebuilds(deps: PrebuildDeps): Promise<Prebuilds> {
  const { layout, images, machines, log } = deps;
  const locks = new KeyedMutex();
  const running = new Set<AbortController>();
  const endings = new Set<Promise<unknown>>();
  await removeAbandoned(layout, machines, log);

  const keysOf = async (
    configuration: Configuration,
    plan: Plan,
    features: string,
    digest: string | undefined,
    architecture: string,
  ): Promise<PrebuildKeys> => {
    const { file } = configuration;
    return prebuildKeys({
      base: { name: plan.image, digest, architecture },
      user: plan.user,
      target: plan.placing.target,
      workspaceFolder: plan.placing.workspaceFolder,
      featuresKey: features,
      file: plan.file,
      remoteEnv: file.remoteEnv,
      keyFiles: await readKeyFiles(
        await filesOf(configuration),
        file.customizations?.guesthouse?.prebuildFiles ?? [],
      ),
    });
  };

  const make: Prebuilds["make"] = async (
    configuration,
    plan,
    params,
    signal,
  ) => {
    const base = await images.obtain(plan.image, {}, undefined, signal);
    if (base.os === "windows")
      throw refused(
        "workspaces.notSupported",
        "A prebuild can't be made of a Windows image yet.",
        { remedy: "Bring the folder up without one." },
      );
    const { features } = await featuresOfFolder(
      configuration,
      plan.file,
      {},
      deps,
      signal,
    );
    const { key, fileKey } = await keysOf(
      configuration,
      plan,
      featuresKey(features),
      base.digest,
      base.architecture,
    );
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
    const { image, stages } = await makePrebuild(
      {
        configuration,
        plan,
        params,
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
      },
      deps,
      signal,
    );
    return { image, made: true, stages, ...told };
  };

  return {
    choose: async (configuration, plan, features) => {
      const all = await images.list();
      const base = all.find(({ name }) => name === plan.image);
      if (base === undefined) return { kind: "none" };
      return choosePrebuild(all, {
        keys: await keysOf(
          configuration,
          plan,
          features,
          base.digest,
          base.architecture,
        ),
        base: plan.image,
        workspace: workspaceId(configuration),
        diskGiB: plan.size.diskGiB,
      });
    },
    used: async (digest) => {
      const path = layout.image(digest).used;
      const now = new Date();
      // Only what reclaiming space goes by: no reason for an `up` to fail.
      await writeFile(path, "", { mode: 0o600 })
        .then(() => utimes(path, now, now))
        .catch(() => undefined);
    },
    make: async (configuration, plan, params, signal) => {
      const controller = new AbortController();
      const onAbort = (): void => controller.abort();
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      running.add(controller);
      const ended = locks.run(workspaceId(configuration), () =>
        make(configuration, plan, params, controller.signal),
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
