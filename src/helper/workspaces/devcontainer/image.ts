import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Devcontainer } from "./model.ts";

/** What a dev container is made of. */
export type ContainerKind = "image" | "dockerfile" | "compose";

/** The golden image whose VMs have a container engine. */
export const engineImage = "containers";

export interface ImageChoice {
  readonly image: string;
  /** The dev container that is brought up inside the VM; absent: the VM itself is what the user works in. */
  readonly container?: ContainerKind;
  /** Said once, where the file asked for something else. */
  readonly note?: string;
}

export interface ImageWish {
  /** Names of images that are here or in the catalog. */
  readonly known: readonly string[];
  /** The caller's word. */
  readonly wanted?: string | undefined;
  /** Where nothing is named. */
  readonly fallback: string;
  /** The caller's word: no container, even where the file names one. */
  readonly direct?: boolean | undefined;
}

/**
 * The Guesthouse image for a file: what the caller wants, `customizations.guesthouse.image`, `image` where that names one
 * of ours, else the default where the file names nothing. A file that names a container's image, a Dockerfile or Compose
 * files gets a VM with an engine, unless `direct` or `customizations.guesthouse.container: false` asks for the VM alone:
 * then it's the image that comes nearest. Refuses with `workspaces.imageNotSupported` where no image has an engine. Pure.
 */
export function chooseImage(
  file: Devcontainer,
  { known, wanted, fallback, direct }: ImageWish,
): ImageChoice {
  const asked = containerOf(file);
  const ours = wanted ?? file.customizations?.guesthouse?.image;
  if (ours !== undefined)
    return asked === undefined || asked.name === ours
      ? { image: ours }
      : { image: ours, note: notUsed(ours, asked.what) };
  if (asked === undefined)
    return {
      image:
        file.customizations?.guesthouse?.engine === true &&
        known.includes(engineImage)
          ? engineImage
          : fallback,
    };
  if (asked.name !== undefined && known.includes(asked.name))
    return { image: asked.name };
  if (direct ?? file.customizations?.guesthouse?.container === false) {
    const image = nearestImage(asked.name ?? "", known, fallback);
    return { image, note: notUsed(image, asked.what) };
  }
  if (known.includes(engineImage))
    return { image: engineImage, container: asked.kind };
  throw refused(
    "workspaces.imageNotSupported",
    `This configuration uses ${asked.what}, and there's no image with a container engine.`,
    {
      remedy: `Get the image “${engineImage}”, or use a VM without a container: --direct.`,
    },
  );
}

const notUsed = (image: string, what: string): string =>
  `The VM is a clone of “${image}”; ${what} isn't used.`;

/** The same for a person who chooses among files: what a file makes, and of what. Pure. */
export function kindOf(
  file: Devcontainer,
  known: readonly string[],
): { readonly kind: ContainerKind | "machine"; readonly of?: string } {
  const { image, container } = chooseImage(file, {
    known: [...known, engineImage],
    fallback: "",
  });
  if (container === undefined)
    return { kind: "machine", ...(image === "" ? {} : { of: image }) };
  const of = {
    compose: undefined,
    dockerfile: file.build?.dockerfile ?? file.dockerFile,
    image: file.image,
  }[container];
  return { kind: container, ...given({ of }) };
}

/** What a file asks a container tool for, if anything; in the reference implementation's order. */
function containerOf(
  file: Devcontainer,
): { kind: ContainerKind; what: string; name?: string } | undefined {
  if (file.dockerComposeFile !== undefined)
    return { kind: "compose", what: "a Compose file (dockerComposeFile)" };
  const dockerfile = file.build?.dockerfile ?? file.dockerFile;
  if (dockerfile !== undefined)
    return {
      kind: "dockerfile",
      what: `a Dockerfile (${visible(dockerfile)})`,
    };
  return file.image === undefined
    ? undefined
    : {
        kind: "image",
        what: `the container image “${visible(file.image)}”`,
        name: file.image,
      };
}

/** Words of a container image's name that tell its distribution, the more exact ones first. */
const hints: readonly (readonly [RegExp, RegExp])[] = [
  [/trixie|debian[:-]?13/, /^debian-13/],
  [/bookworm|bullseye|buster|debian/, /^debian-12/],
  [/ubuntu|noble|jammy|focal/, /^ubuntu-/],
  [/fedora|centos|rocky|alma|ubi[89]/, /^fedora-/],
  [/alpine/, /^alpine-/],
];

function nearestImage(
  reference: string,
  known: readonly string[],
  fallback: string,
): string {
  for (const [word, name] of hints) {
    if (!word.test(reference)) continue;
    const image = known.find((each) => name.test(each));
    if (image !== undefined) return image;
  }
  return fallback;
}
