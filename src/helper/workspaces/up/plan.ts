import { createHash } from "node:crypto";
import { basename } from "node:path";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import type { FilesWay } from "../../../protocol/filesWays.ts";
import type { ParsedParams } from "../../../protocol/contract.ts";
import { refused } from "../../../protocol/failure.ts";
import type { GuestSystem, Image } from "../../../protocol/images.ts";
import type { Forward } from "../../../protocol/forwards.ts";
import {
  chooseImage,
  type ContainerKind,
  engineImage,
} from "../devcontainer/image.ts";
import { supportOf } from "../devcontainer/support.ts";
import { landingPort } from "../../ssh/config.ts";
import {
  decideHostPaths,
  type HostPathsDecision,
} from "../container/hostPaths.ts";
import {
  type ReferenceConfig,
  referenceConfig,
} from "../container/referenceConfig.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import { type Placing, placeFiles } from "../devcontainer/placing.ts";
import {
  containerPorts,
  forwardsOf,
  type Relay,
} from "../devcontainer/ports.ts";
import type { Configuration } from "../devcontainer/read.ts";
import type { ConfigWarning } from "../devcontainer/review.ts";
import { chooseSize, type MachineSize } from "../devcontainer/size.ts";
import {
  devcontainerId,
  substitute,
  type VariableValues,
} from "../devcontainer/variables.ts";
import {
  type ChosenFiles,
  chooseFiles,
  type FilesWish,
} from "../known/filesWay.ts";
import type { GuestCommand } from "./due.ts";
import type { SystemOps } from "../guest/systemOps.ts";
import { guestOps } from "../guest/systems.ts";
import { editorWarnings } from "../editor/warnings.ts";

/** What the host and the client bring to a file. */
export interface Surroundings {
  readonly localEnv: Readonly<Record<string, string>>;
  /** Names of images that are here or in the catalog. */
  readonly images: readonly string[];
  /** What is in them, by name; without a word it is Linux. */
  readonly guests?: Readonly<Record<string, ImageGuest>>;
  readonly wantedImage: string | undefined;
  readonly defaultImage: string;
  /** The caller's word on whether there is to be no container. */
  readonly direct?: boolean | undefined;
  /** The caller's word on paths of the host that a container wants to see. */
  readonly hostPaths?: ParsedParams<"workspaces.up">["hostPaths"];
  /** The one that was given before. */
  readonly hostPathsBefore?: HostPathsDecision;
  /** Guesthouse's own folder. */
  readonly dataFolder?: string;
  readonly usual: MachineSize;
  /** What of it the user's settings say. */
  readonly settings?: Partial<MachineSize>;
  readonly host: { readonly cpus: number; readonly memoryMiB: number };
  /** Absent: they are copied, whatever the file says. */
  readonly files?: FilesWish;
}

/** What a file's image has in it. */
export interface ImageGuest {
  readonly os: GuestSystem;
  readonly user: string;
  /** Of its own disk. */
  readonly diskGiB: number;
}

/** What is known of an image that a file may name. */
export type KnownImage = Pick<
  Image,
  "name" | "os" | "defaultUser" | "virtualSizeBytes"
>;

const gib = 1024 ** 3;

/** The images among a plan's surroundings. Pure. */
export const imagesOf = (
  known: readonly KnownImage[],
): Required<Pick<Surroundings, "images" | "guests">> => ({
  images: known.map(({ name }) => name),
  guests: Object.fromEntries(
    known.map(
      ({ name, os = "linux", defaultUser = "", virtualSizeBytes = 0 }) => [
        name,
        { os, user: defaultUser, diskGiB: Math.ceil(virtualSizeBytes / gib) },
      ],
    ),
  ),
});

/** Everything that a VM is made of and set up with. */
export interface Plan {
  readonly image: string;
  readonly size: MachineSize;
  /** Undefined: the image's own. */
  readonly user: string | undefined;
  readonly forwards: readonly Forward[];
  readonly placing: Placing;
  /** The dev container that is brought up in the VM; absent: the VM is what the user works in. */
  readonly container?: ContainerPlan;
  /** The VM's image has no container engine, and it is to get one. */
  readonly engine?: true;
  readonly files: FilesWay;
  /** The file with its variables filled in, but for those of the guest. */
  readonly file: Devcontainer;
  readonly variables: VariableValues;
  /** Of what the file says of the machine itself: when it changes, only a rebuild helps. */
  readonly shapeDigest: string;
  /** The last command that runs; undefined: all. */
  readonly last?: GuestCommand;
  readonly notes: readonly string[];
  readonly warnings: readonly ConfigWarning[];
}

/** A dev container, as the reference implementation is to bring it up. */
export interface ContainerPlan extends ReferenceConfig {
  readonly kind: ContainerKind;
  readonly relays: readonly Relay[];
  /** What becomes of `hostPaths`; absent where there are none. */
  readonly decided?: HostPathsDecision;
  /** Of `file`: when it changes, only a new container takes it up. */
  readonly digest: string;
}

/** Decides what a folder's VM is to be. Refuses with the `workspaces.*` codes of the rooms that decide. Pure. */
export function planWorkspace(
  configuration: Configuration,
  around: Surroundings,
): Plan {
  const { folder, path, branch } = configuration;
  const first: VariableValues = {
    localWorkspaceFolder: folder,
    devcontainerId: devcontainerId(folder, path ?? "", branch),
    localEnv: around.localEnv,
  };
  // Before anything else: a file for containers only has more that is not ours, and this is what it is refused for.
  const { image, note, container } = chooseImage(
    substitute(configuration.file, first),
    {
      known: around.images,
      wanted: around.wantedImage,
      fallback: around.defaultImage,
      direct: around.direct,
    },
  );
  if (container !== undefined)
    return planContainer(configuration, around, { kind: container, first });
  const guest = around.guests?.[image];
  const system = guestOps[guest?.os ?? "linux"];
  const placing = placingOf(configuration, first, {
    system,
    user: guest?.user,
  });
  const variables = {
    ...first,
    containerWorkspaceFolder: placing.workspaceFolder,
  };
  const file = substitute(configuration.file, variables);
  refuseWall(file);
  const engine = needsEngine(file, image, system);
  const usual = system.usualSize(around.usual, guest?.diskGiB);
  const { size, warnings } = chooseSize(file, usual, around.host);
  const ports = forwardsOf(file);
  const files = filesFor(system, { ...configuration, file }, around.files);
  return {
    image,
    size,
    user: file.remoteUser ?? file.containerUser,
    forwards: ports.forwards,
    placing,
    ...(engine ? { engine } : {}),
    files: files.way,
    file,
    variables,
    shapeDigest: shapeDigestOf(configuration.file),
    notes: [
      ...(note === undefined ? [] : [note]),
      ...(files.note === undefined ? [] : [files.note]),
      ...readOfHost(configuration),
    ],
    warnings: [
      ...configuration.warnings,
      ...warnings,
      ...ports.warnings,
      ...editorWarnings(file),
    ],
  };
}

/** Whether an engine is to be installed. Refuses where that can't be done. */
function needsEngine(
  file: Devcontainer,
  image: string,
  { can, title }: SystemOps,
): boolean {
  if (file.customizations?.guesthouse?.engine !== true) return false;
  if (!can.features)
    throw refused(
      "workspaces.notSupported",
      `A VM with ${title} can't get a container engine.`,
      {
        remedy:
          'Take "engine" out of customizations.guesthouse, or use another image.',
      },
    );
  return image !== engineImage;
}

/** A wall that can't be built is refused, not left out: around a container's VM as much as around any. */
function refuseWall(file: Devcontainer): void {
  if (file.customizations?.guesthouse?.network === "none")
    throw refused(
      "workspaces.notSupported",
      "A VM without a way to other networks can't be made yet.",
      { remedy: 'Take "network": "none" out of customizations.guesthouse.' },
    );
}

/** The VM is as the host's wishes say; all else is the reference implementation's business in it. */
function planContainer(
  configuration: Configuration,
  around: Surroundings,
  {
    kind,
    first,
  }: { readonly kind: ContainerKind; readonly first: VariableValues },
): Plan {
  const { folder } = configuration;
  const placing = placeFiles(folder, basename(folder) || "workspace", {});
  const file = substitute(configuration.file, first);
  refuseWall(file);
  const container = referenceConfig(configuration, placing.target, first);
  const ports = containerPorts(file);
  const decided = decideHostPaths(container.hostPaths, {
    wanted: around.hostPaths,
    earlier: around.hostPathsBefore,
    ...given({ dataFolder: around.dataFolder }),
    platform: process.platform,
  });
  const { size, warnings } = chooseSize(
    file,
    usualForContainers(around),
    around.host,
  );
  const files = filesFor(
    guestOps.linux,
    { ...configuration, file },
    around.files,
  );
  return {
    image: engineImage,
    size,
    user: undefined,
    forwards: [
      { hostPort: 0, guestPort: landingPort, protocol: "tcp" },
      ...ports.forwards,
    ],
    placing,
    container: {
      ...container,
      kind,
      relays: ports.relays,
      ...given({ decided }),
      digest: digestOf(container.file),
    },
    files: files.way,
    file,
    variables: first,
    shapeDigest: digestOf([
      "container",
      file.hostRequirements,
      ports.forwards,
      file.customizations?.guesthouse,
    ]),
    notes: [
      ...container.notes,
      ...(files.note === undefined ? [] : [files.note]),
      ...readOfHost(configuration),
    ],
    warnings: [
      ...configuration.warnings.filter(
        ({ property }) =>
          property === "extends" || supportOf(property) === undefined,
      ),
      ...warnings,
      ...container.warnings,
      ...ports.warnings,
      ...editorWarnings(file),
    ],
  };
}

/**
 * What people bring has images of several GB, databases and builds: a disk that takes only what is written, and a quarter of
 * the host's memory within bounds, unless the user's settings say something else.
 */
const usualForContainers = ({
  usual,
  settings = {},
  host,
}: Pick<Surroundings, "usual" | "settings" | "host">): MachineSize => ({
  cpus: usual.cpus,
  memoryMiB:
    settings.memoryMiB ??
    Math.max(2048, Math.min(4096, Math.floor(host.memoryMiB / 4))),
  diskGiB: settings.diskGiB ?? Math.max(usual.diskGiB, 64),
});

const readOfHost = ({ localVariables: read }: Configuration): string[] =>
  read.length === 0
    ? []
    : [
        `The file reads these variables of this computer: ${visible(read.join(", "))}.`,
      ];

function placingOf(
  { folder, file: { workspaceMount, workspaceFolder } }: Configuration,
  variables: VariableValues,
  {
    system,
    user = "",
  }: { readonly system: SystemOps; readonly user: string | undefined },
): Placing {
  const folders = substitute({ workspaceMount, workspaceFolder }, variables);
  const named = basename(folder) || "workspace";
  return system.place(folder, named, user, folders);
}

function filesFor(
  { can, title }: SystemOps,
  { file, tree }: Pick<Configuration, "file" | "tree">,
  wish: FilesWish | undefined,
): ChosenFiles {
  const asked = file.customizations?.guesthouse?.files;
  const files: ChosenFiles =
    wish === undefined
      ? { way: "copy" }
      : chooseFiles(wish, asked, tree !== undefined);
  if (can.share || files.way === "copy") return files;
  throw refused(
    "workspaces.notSupported",
    `A folder can't be mounted in a VM with ${title}, only copied into it.`,
    { remedy: "Have it copied: --files copy, or the setting files." },
  );
}

/** Before variables are filled in: another value on the host is no other file. */
const shapeDigestOf = (file: Devcontainer): string =>
  digestOf([
    file.image,
    file.build,
    file.dockerFile,
    file.dockerComposeFile,
    file.remoteUser,
    file.containerUser,
    file.workspaceFolder,
    file.workspaceMount,
    file.hostRequirements,
    file.forwardPorts,
    file.customizations?.guesthouse,
  ]);

const digestOf = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex");
