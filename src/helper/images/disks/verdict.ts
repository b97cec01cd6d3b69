import { given } from "../../../base/given.ts";
import type { ImageCheck } from "../../../protocol/images.ts";

export type Verdict = Pick<ImageCheck, "outcome" | "detail"> & {
  remedy?: string;
};

export const check = (
  id: string,
  title: string,
  { outcome, detail, remedy }: Verdict,
): ImageCheck => ({
  id,
  title,
  outcome,
  detail,
  ...given({ remedy }),
});

export const ok = (detail: string): Verdict => ({ outcome: "ok", detail });
export const notApplicable = (detail: string): Verdict => ({
  outcome: "notApplicable",
  detail,
});
export const warning = (detail: string, remedy: string): Verdict => ({
  outcome: "warning",
  detail,
  remedy,
});
export const error = (detail: string, remedy: string): Verdict => ({
  outcome: "error",
  detail,
  remedy,
});
