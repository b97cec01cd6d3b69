import { stat } from "node:fs/promises";
import type { Image, PrebuildSource } from "../../../protocol/images.ts";
import type { Layout } from "../../store/layout.ts";

export interface PrebuildUse {
  readonly digest: string;
  readonly source: PrebuildSource;
  /** When a machine was last made of it, else when it came here. */
  readonly usedAtMs: number;
}

const dayMs = 24 * 60 * 60 * 1000;
/** Branches of a repository may have other files, and people go to and fro between them. */
const supersededDays = 7;
const unusedDays = 60;

/**
 * Why prebuilds may go, by digest; those that may not are not in it. `current` are the digests that names mean today: a
 * prebuild of this computer on a base image that was replaced or deleted never fits again. Pure.
 */
export function staleReasons(
  prebuilds: readonly PrebuildUse[],
  current: ReadonlySet<string>,
  nowMs: number,
): Map<string, string> {
  const reasons = new Map<string, string>();
  for (const { digest, source, usedAtMs } of prebuilds) {
    const unusedFor = Math.floor((nowMs - usedAtMs) / dayMs);
    const newer = prebuilds.some(
      (other) =>
        source.workspace !== undefined &&
        other.source.workspace === source.workspace &&
        other.source.madeAt > source.madeAt,
    );
    if (source.workspace !== undefined && !current.has(source.base.digest))
      reasons.set(digest, "a prebuild on an image that was replaced");
    else if (newer && unusedFor >= supersededDays)
      reasons.set(
        digest,
        `a prebuild that has a newer one, unused for ${String(unusedFor)} days`,
      );
    else if (unusedFor >= unusedDays)
      reasons.set(digest, `a prebuild, unused for ${String(unusedFor)} days`);
  }
  return reasons;
}

/** `staleReasons` of what is here now. */
export async function stalePrebuilds(
  images: readonly Image[],
  layout: Layout,
  nowMs: number,
): Promise<Map<string, string>> {
  const prebuilds: PrebuildUse[] = [];
  for (const { digest, source, createdAt } of images) {
    if (digest === undefined || source?.kind !== "prebuild") continue;
    const used = await stat(layout.image(digest).used).catch(() => undefined);
    prebuilds.push({
      digest,
      source,
      usedAtMs: used?.mtimeMs ?? Date.parse(createdAt ?? source.madeAt),
    });
  }
  return staleReasons(
    prebuilds,
    new Set(
      images.flatMap(({ digest }) => (digest === undefined ? [] : [digest])),
    ),
    nowMs,
  );
}
