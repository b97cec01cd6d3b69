import { cpus, totalmem } from "node:os";
import { given } from "../../../base/given.ts";
import type { Layout } from "../../store/layout.ts";
import type { Configuration } from "../devcontainer/read.ts";
import type { MachineSize } from "../devcontainer/size.ts";
import {
  imagesOf,
  type KnownImage,
  type Plan,
  planWorkspace,
  type Surroundings,
} from "./plan.ts";
import type { UpParams } from "./upDeps.ts";

/** What this host has for VMs. */
export interface PlanDeps {
  readonly images: () => Promise<readonly KnownImage[]>;
  readonly defaultImage: string;
  readonly usualSize: (defaults: Partial<MachineSize>) => MachineSize;
  readonly layout: Layout;
}

const mib = 1024 ** 2;

/** Decides what a folder's VM is to be, by the file, the request and this host. Refuses as `planWorkspace` does. */
export async function planFor(
  configuration: Configuration,
  { localEnv, image, direct, hostPaths, defaults = {} }: UpParams,
  { images, defaultImage, usualSize, layout }: PlanDeps,
  {
    files,
    hostPathsBefore,
  }: Pick<Surroundings, "files" | "hostPathsBefore"> = {},
): Promise<Plan> {
  const { cpus: cpuCount, memoryMiB, diskGiB } = defaults;
  return planWorkspace(configuration, {
    localEnv: localEnv ?? {},
    ...imagesOf(await images()),
    wantedImage: image,
    defaultImage: defaults.image ?? defaultImage,
    usual: usualSize(given({ cpus: cpuCount, memoryMiB, diskGiB })),
    settings: given({ cpus: cpuCount, memoryMiB, diskGiB }),
    host: {
      cpus: cpus().length,
      memoryMiB: Math.floor(totalmem() / mib),
    },
    dataFolder: layout.home,
    ...given({ files, direct, hostPaths, hostPathsBefore }),
  });
}
