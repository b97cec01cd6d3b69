import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toFailure } from "../../../src/protocol/failure.ts";
import {
  type Configuration,
  readConfiguration,
} from "../../../src/helper/workspaces/devcontainer/read.ts";
import { supportOf } from "../../../src/helper/workspaces/devcontainer/support.ts";
import type { FetchDeps } from "../../../src/helper/workspaces/features/fetch.ts";
import { hooksOf } from "../../../src/helper/workspaces/features/merge.ts";
import { featuresOfFolder } from "../../../src/helper/workspaces/features/ofFolder.ts";
import { noFeatures } from "../../../src/helper/workspaces/features/resolve.ts";
import { dueCommands } from "../../../src/helper/workspaces/up/due.ts";
import { requireConsent } from "../../../src/helper/workspaces/up/hostCommand.ts";
import {
  planWorkspace,
  type Plan,
  type Surroundings,
} from "../../../src/helper/workspaces/up/plan.ts";

/** What an `up` decides before it makes a machine. */
export interface Made {
  /** Of the properties that the file has, as the support table names them. */
  readonly properties: readonly string[];
  readonly plan: Plan;
  /** References, in the order of installation; with versions where they are not the folder's. */
  readonly features: readonly string[];
  readonly commands: readonly { name: string; steps: number }[];
  /** What the log says: warnings and notes. */
  readonly said: readonly string[];
}

export interface Refused {
  readonly message: string;
  readonly remedy: string;
}

export interface Decision {
  /** Of the file as it stands. */
  readonly first: Made | Refused;
  /** With `--direct`, where that is a container in a VM. */
  readonly second?: Made | Refused;
  readonly consent: boolean;
}

const catalog = JSON.parse(
  readFileSync(
    join(import.meta.dirname, "../../../resources/catalog.json"),
    "utf8",
  ),
) as { images: { name: string }[] };

/** As `up` does it and, where that is a container, as it does with `--direct`. */
export async function decide(
  folder: string,
  config: string | undefined,
  deps: FetchDeps,
): Promise<Decision> {
  const { outcome: first, consent } = await attempt(folder, config, {}, deps);
  if ("remedy" in first || first.plan.container === undefined)
    return { first, consent };
  const direct = { direct: true };
  const { outcome: second } = await attempt(folder, config, direct, deps);
  return { first, second, consent };
}

async function attempt(
  folder: string,
  config: string | undefined,
  wish: Pick<Surroundings, "direct">,
  deps: FetchDeps,
): Promise<{ outcome: Made | Refused; consent: boolean }> {
  let consent = false;
  try {
    const configuration = await readConfiguration(folder, config);
    consent = asks(configuration);
    return {
      outcome: await make(configuration, wish, deps),
      consent,
    };
  } catch (error) {
    const { kind, message, remedy = "" } = toFailure(error);
    if (kind === "bug") throw error;
    const plain = (text: string): string => text.replaceAll(folder, "FOLDER");
    return {
      outcome: { message: plain(message), remedy: plain(remedy) },
      consent,
    };
  }
}

/** Whether something would run on the host, which is left out then. */
function asks(configuration: Configuration): boolean {
  try {
    requireConsent(configuration, "refuse", undefined);
    return false;
  } catch (error) {
    if (toFailure(error).code !== "workspaces.consentNeeded") throw error;
    requireConsent(configuration, "skip", undefined);
    return true;
  }
}

async function make(
  configuration: Configuration,
  wish: Pick<Surroundings, "direct">,
  deps: FetchDeps,
): Promise<Made> {
  const plan = planWorkspace(configuration, {
    localEnv: { PATH: "/usr/bin", LOCAL_GID: "1000" },
    images: catalog.images.map(({ name }) => name),
    wantedImage: undefined,
    hostPaths: "empty",
    ...wish,
    defaultImage: "debian-12",
    usual: { cpus: 2, memoryMiB: 2048, diskGiB: 20 },
    host: { cpus: 8, memoryMiB: 16_384 },
  });
  // In a container they are the reference implementation's business.
  const found =
    plan.container !== undefined
      ? noFeatures
      : await featuresOfFolder(
          configuration,
          { file: plan.file, kept: {} },
          deps,
          new AbortController().signal,
        );
  const commands = dueCommands(plan.file, new Map(), "boot", {
    hooks: hooksOf(found.features, plan.variables),
  });
  return {
    properties: pathsOf(configuration.file),
    plan,
    features: found.features.map(({ reference, metadata: { version } }) =>
      reference.startsWith(".") || version === undefined
        ? reference
        : `${reference} (${version})`,
    ),
    commands: commands.map(({ title, steps }) => ({
      name: title,
      steps: steps.length,
    })),
    said: [
      ...plan.warnings.map(({ message }) => message),
      ...plan.notes.filter((note) => !note.startsWith("The VM is a clone of")),
      ...found.notes,
    ],
  };
}

/** Down to those that the support table knows. */
const pathsOf = (value: object, above = ""): string[] =>
  Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const path = `${above}${name}`;
    return supportOf(path) === undefined &&
      typeof inner === "object" &&
      inner !== null
      ? pathsOf(inner, `${path}.`)
      : [path];
  });
