import { visible } from "../../../base/visible.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Devcontainer } from "./model.ts";

export interface ImageChoice {
  readonly image: string;
  /** Said once, where the file asked for something else. */
  readonly note?: string;
}

/**
 * The Guesthouse image for a file: what the caller wants, `customizations.guesthouse.image`, `image` where that names one
 * of ours, else the default where the file names nothing. Refuses with `workspaces.imageNotSupported` where it names a
 * container's image or how to build one, naming the image of the catalog that comes nearest. Pure.
 */
export function chooseImage(
  file: Devcontainer,
  known: readonly string[],
  wanted: string | undefined,
  fallback: string,
): ImageChoice {
  const asked = containerOf(file);
  const ours = wanted ?? file.customizations?.guesthouse?.image;
  if (ours !== undefined)
    return asked === undefined || asked.name === ours
      ? { image: ours }
      : {
          image: ours,
          note: `The VM is a clone of “${ours}”; ${asked.what} is not used.`,
        };
  if (asked === undefined) return { image: fallback };
  if (asked.name !== undefined && known.includes(asked.name))
    return { image: asked.name };
  const nearest = nearestImage(asked.name ?? "", known, fallback);
  throw refused(
    "workspaces.imageNotSupported",
    `Making a VM of ${asked.what} is not possible yet.`,
    {
      remedy: `The nearest image is “${nearest}”: add "customizations": {"guesthouse": {"image": "${nearest}"}} to the file, or give --image ${nearest}.`,
    },
  );
}

/** What a file asks a container tool for, if anything. */
function containerOf(
  file: Devcontainer,
): { what: string; name?: string } | undefined {
  if (file.dockerComposeFile !== undefined)
    return { what: "a Compose file (dockerComposeFile)" };
  const dockerfile = file.build?.dockerfile ?? file.dockerFile;
  if (dockerfile !== undefined)
    return { what: `a Dockerfile (${visible(dockerfile)})` };
  return file.image === undefined
    ? undefined
    : {
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
