import { given } from "../../../base/given.ts";
import { failed, type Failure } from "../../../protocol/failure.ts";
import type { Image, ImageState } from "../../../protocol/images.ts";
import type { CatalogEntry } from "./catalog.ts";
import type { WorkingState } from "../jobs/progress.ts";
import type { StoredImage } from "../golden/store.ts";
import { reasonsAgainst } from "../disks/validate.ts";

/** Everything that is known of one image name. */
export interface ImageKnowledge {
  readonly name: string;
  readonly entry: CatalogEntry | undefined;
  readonly stored: StoredImage | undefined;
  readonly working: WorkingState | undefined;
  /** Of the last attempt that ended badly. */
  readonly failure: Failure | undefined;
  readonly usedBy: readonly string[];
  readonly revision: number;
}

/** The contract's record of an image. Pure. */
export function imageRecord(known: ImageKnowledge): Image {
  const { name, entry, stored, usedBy, revision } = known;
  const record = stored?.record;
  return {
    name,
    title: record?.title ?? entry?.title ?? name,
    architecture: record?.architecture ?? entry?.architecture ?? "amd64",
    state: stateOf(known),
    ...(record === undefined
      ? entryFacts(entry)
      : {
          ...given({ os: record.os }),
          ...(record.generalized === true ? { generalized: true } : {}),
          digest: record.digest,
          source: record.source,
          virtualSizeBytes: record.virtualSizeBytes,
          createdAt: record.createdAt,
          directBoot: record.directBoot !== undefined,
          defaultUser: record.defaultUser,
          expectedBootSeconds: record.expectedBootSeconds,
        }),
    ...(stored === undefined
      ? {}
      : { sizeBytes: stored.sizeBytes, report: stored.report }),
    usedBy: [...usedBy].sort(),
    revision,
  };
}

function entryFacts(entry: CatalogEntry | undefined): Partial<Image> {
  return entry === undefined
    ? {}
    : {
        defaultUser: entry.defaultUser,
        expectedBootSeconds: entry.expectedBootSeconds,
      };
}

/** Work goes before what is here, what is here before a failure: a failed renewal leaves the old image ready. */
function stateOf({
  working,
  stored,
  failure,
  name,
}: ImageKnowledge): ImageState {
  if (working !== undefined) return working;
  if (stored?.report.usable === true) return { kind: "ready" };
  if (stored !== undefined)
    return { kind: "failed", failure: brokenImage(name, stored) };
  return failure === undefined
    ? { kind: "available" }
    : { kind: "failed", failure };
}

const brokenImage = (name: string, { report }: StoredImage): Failure =>
  failed(
    "images.broken",
    `Image ${name} was found broken: ${reasonsAgainst(report)}`,
    { remedy: "Make it anew (pull it again with force).", actions: ["retry"] },
  ).failure;
