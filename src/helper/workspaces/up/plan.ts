import { createHash } from "node:crypto";
import { basename } from "node:path";
import { visible } from "../../../base/visible.ts";
import type { FilesWay } from "../../../protocol/filesWays.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Image } from "../../../protocol/images.ts";
import type { Forward } from "../../../protocol/machines.ts";
import { chooseImage } from "../devcontainer/image.ts";
import type { Devcontainer } from "../devcontainer/model.ts";
import {
  placeFiles,
  placeInWindows,
  type Placing,
} from "../devcontainer/placing.ts";
import { forwardsOf } from "../devcontainer/ports.ts";
import type { Configuration } from "../devcontainer/read.ts";
import type { ConfigWarning } from "../devcontainer/review.ts";
import { chooseSize, type MachineSize } from "../devcontainer/size.ts";
import {
  devcontainerId,
  substitute,
  type VariableValues,
} from "../devcontainer/variables.ts";
import { chooseFiles, type FilesWish } from "../share/filesWay.ts";
import type { GuestCommand } from "./due.ts";
import { editorWarnings } from "../editor/warnings.ts";

/** What the host and the client bring to a file. */
export interface Surroundings {
  readonly localEnv: Readonly<Record<string, string>>;
  /** Names of images that are here or in the catalog. */
  readonly images: readonly string[];
  /** Of those of them that are Windows, by name: the user that each has, and the smallest disk. */
  readonly windows?: Readonly<
    Record<string, { readonly user: string; readonly diskGiB: number }>
  >;
  readonly wantedImage: string | undefined;
  readonly defaultImage: string;
  readonly usual: MachineSize;
  readonly host: { readonly cpus: number; readonly memoryMiB: number };
  /** Absent: they are copied, whatever the file says. */
  readonly files?: FilesWish;
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
): Required<Pick<Surroundings, "images" | "windows">> => ({
  images: known.map(({ name }) => name),
  windows: Object.fromEntries(
    known
      .filter(({ os }) => os === "windows")
      .map(({ name, defaultUser = "", virtualSizeBytes = 0 }) => [
        name,
        { user: defaultUser, diskGiB: Math.ceil(virtualSizeBytes / gib) },
      ]),
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
  const { image, note } = chooseImage(
    substitute(configuration.file, first),
    around.images,
    around.wantedImage,
    around.defaultImage,
  );
  const folders = substitute(
    {
      workspaceMount: configuration.file.workspaceMount,
      workspaceFolder: configuration.file.workspaceFolder,
    },
    first,
  );
  const named = basename(folder) || "workspace";
  const windows = around.windows?.[image];
  const placing =
    windows === undefined
      ? placeFiles(folder, named, folders)
      : placeInWindows(folder, named, windows.user, folders);
  const variables = {
    ...first,
    containerWorkspaceFolder: placing.workspaceFolder,
  };
  const file = substitute(configuration.file, variables);
  if (file.customizations?.guesthouse?.network === "none")
    throw refused(
      "workspaces.notSupported",
      "A VM without a way to other networks can't be made yet.",
      { remedy: 'Take "network": "none" out of customizations.guesthouse.' },
    );
  const usual =
    windows === undefined ? around.usual : forWindows(around.usual, windows);
  const { size, warnings } = chooseSize(file, usual, around.host);
  const ports = forwardsOf(file.forwardPorts);
  const files =
    around.files === undefined
      ? { way: "copy" as const }
      : chooseFiles(
          around.files,
          file.customizations?.guesthouse?.files,
          configuration.tree !== undefined,
        );
  if (windows !== undefined && files.way !== "copy")
    throw refused(
      "workspaces.notSupported",
      "A folder can't be mounted in a VM with Windows, only copied into it.",
      { remedy: "Have it copied: --files copy, or the setting files." },
    );
  const read = configuration.localVariables;
  return {
    image,
    size,
    user: file.remoteUser ?? file.containerUser,
    forwards: ports.forwards,
    placing,
    files: files.way,
    file,
    variables,
    shapeDigest: digestOf(configuration.file),
    notes: [
      ...(note === undefined ? [] : [note]),
      ...(files.note === undefined ? [] : [files.note]),
      ...(read.length === 0
        ? []
        : [
            `The file reads these variables of this computer: ${visible(read.join(", "))}.`,
          ]),
    ],
    warnings: [
      ...configuration.warnings,
      ...warnings,
      ...ports.warnings,
      ...editorWarnings(file),
    ],
  };
}

/** What is usual for Linux is too little. */
const forWindows = (
  usual: MachineSize,
  { diskGiB }: { readonly diskGiB: number },
): MachineSize => ({
  ...usual,
  memoryMiB: Math.max(usual.memoryMiB, 4096),
  diskGiB: Math.max(usual.diskGiB, diskGiB),
});

/** Before variables are filled in: another value on the host is no other file. */
const digestOf = (file: Devcontainer): string =>
  createHash("sha256")
    .update(
      JSON.stringify([
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
      ]),
    )
    .digest("hex");
