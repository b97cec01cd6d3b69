import type { z } from "zod";

/** A request: goes down, is acknowledged, can be cancelled. */
export interface RequestShape<
  P extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly params: P;
  readonly result: R;
}

/** A notice: comes up, carries a whole record with its revision. */
export interface NoticeShape<P extends z.ZodType = z.ZodType> {
  readonly params: P;
}

export const request = <P extends z.ZodType, R extends z.ZodType>(
  params: P,
  result: R,
): RequestShape<P, R> => ({
  params,
  result,
});

export const notice = <P extends z.ZodType>(params: P): NoticeShape<P> => ({
  params,
});
