/*
 * What a guest says is checked before anything believes it: it may be broken, cut short, or somebody's who wishes us ill.
 * Here is how: by a schema with limits, and a failure in one sentence that repeats nothing of what was said.
 */
import * as z from "zod";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";

/** The answer as its schema has it. Throws `machines.notReady`; `what` was asked, as it stands in a sentence. */
export function guestAnswer<T>(
  what: string,
  schema: z.ZodType<T>,
  answer: unknown,
): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue === undefined ? "" : issue.path.map(String).join(".");
  throw unusable(
    what,
    `${at === "" ? "" : `${at.slice(0, 200)}: `}${issue?.message.slice(0, 300) ?? "it is malformed"}`,
  );
}

/** The same of an answer in JSON. */
export function guestJson<T>(
  what: string,
  schema: z.ZodType<T>,
  text: string,
): T {
  const value = jsonOrNothing(text);
  if (value === undefined) throw unusable(what, "it isn't JSON");
  return guestAnswer(what, schema, value);
}

/** Undefined for what isn't JSON, such as a file that is half written. */
export function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const shownCharacters = 2_000;

/** Words for people, which nobody reads past some length. */
export const words = z
  .string()
  .transform((text) =>
    text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text,
  );

/** A name of something in the guest; there are no such long ones. */
export const name = z.string().max(1_000);

/** More than this of anything is no list but noise. */
export const maxListed = 10_000;

const unusable = (what: string, why: string): GuesthouseError =>
  failed(
    "machines.notReady",
    `The guest's answer to ${what} can't be used: ${why}.`,
    {
      remedy: "Try again; if it stays so, look at the guest's own log.",
      actions: ["showDiagnosis", "retry"],
    },
  );
