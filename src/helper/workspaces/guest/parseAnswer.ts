import type * as z from "zod";
import { failed } from "../../../protocol/failure.ts";
import { visible } from "../../../base/visible.ts";

/**
 * What a script of ours printed in the guest, as JSON. A guest may print anything: throws `workspaces.setupFailed` for what
 * the script would not print. `what` is for people.
 */
export function parseAnswer<T extends z.ZodType>(
  what: string,
  printed: string,
  schema: T,
): z.output<T> {
  const parsed = schema.safeParse(jsonOf(printed));
  if (parsed.success) return parsed.data;
  throw unknownAnswer(what, printed);
}

/** The failure for an answer that nothing of ours prints. */
export const unknownAnswer = (what: string, printed: string): Error =>
  failed(
    "workspaces.setupFailed",
    `The guest answered ${what} with something else: “${visible(printed.trim().slice(0, 100))}”.`,
    {
      remedy:
        "The VM is kept. Check that nothing in the guest's start-up files prints text, then try again.",
      actions: ["retry", "showLog"],
    },
  );

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
