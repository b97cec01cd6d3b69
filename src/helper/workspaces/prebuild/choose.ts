import type { Image, PrebuildSource } from "../../../protocol/images.ts";
import type { PrebuildChoice, Prebuilt } from "../up/prebuilt.ts";
import type { PrebuildKeys } from "./key.ts";

export interface PrebuildWish {
  readonly keys: PrebuildKeys;
  /** The base image's name. */
  readonly base: string;
  readonly workspace: string;
  readonly diskGiB: number;
}

const gib = 1024 ** 3;

/**
 * Which prebuild a new VM is cloned from: the newest of the same key; else one made elsewhere, of the same file and
 * another build of the same base image, which somebody imported in order to have it used. Pure.
 */
export function choosePrebuild(
  images: readonly Image[],
  { keys, base, workspace, diskGiB }: PrebuildWish,
): PrebuildChoice {
  const all = images
    .flatMap((image) => {
      const prebuilt = prebuiltOf(image);
      return prebuilt === undefined
        ? []
        : [{ ...prebuilt, gib: (image.virtualSizeBytes ?? 0) / gib }];
    })
    .sort((a, b) => b.source.madeAt.localeCompare(a.source.madeAt));
  const found =
    all.find(({ source }) => source.key === keys.key) ??
    all.find(
      ({ source }) =>
        source.workspace === undefined && source.fileKey === keys.fileKey,
    );
  if (found === undefined) {
    const own = all.find(({ source }) => source.workspace === workspace);
    return own === undefined
      ? { kind: "none" }
      : {
          kind: "none",
          note: `The prebuild of ${dayOf(own.source)} was made ${own.source.fileKey === keys.fileKey ? `of another ${base}` : "by another devcontainer.json"}, so the VM is made of ${base}: guesthouse prebuild makes a new one.`,
        };
  }
  const { image, source, digest } = found;
  if (found.gib > diskGiB)
    return {
      kind: "none",
      note: `The prebuild ${image} needs a disk of ${found.gib.toFixed(1)} GiB, so the VM is made of ${base}.`,
    };
  return {
    kind: "fits",
    prebuilt: { image, digest, source },
    note: `The VM is made of ${image}, a prebuild of ${dayOf(source)}${originOf(source, keys, base)}.`,
  };
}

function originOf(
  { workspace, key }: PrebuildSource,
  keys: PrebuildKeys,
  base: string,
): string {
  if (workspace !== undefined) return "";
  const isOther = keys.key !== undefined && keys.key !== key;
  return ` from elsewhere${isOther ? `, on another build of ${base}` : ""}`;
}

/** What a ready image is as a prebuild. Pure. */
export function prebuiltOf({
  name,
  source,
  digest,
  state,
}: Image): Prebuilt | undefined {
  return state.kind === "ready" &&
    source?.kind === "prebuild" &&
    digest !== undefined
    ? { image: name, digest, source }
    : undefined;
}

/** `2026-03-01 14:05 UTC`. */
const dayOf = ({ madeAt }: PrebuildSource): string =>
  `${madeAt.slice(0, 16).replace("T", " ")} UTC`;
