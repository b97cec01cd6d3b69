import type {
  Failure,
  FailureCode,
  FailureDetails,
} from "../../protocol/failure.ts";

/** Throws a refusal of our own; the schemas come along only then. */
export async function refuse(
  code: FailureCode,
  message: string,
  details: FailureDetails = {},
): Promise<never> {
  const { refused } = await import("../../protocol/failure.ts");
  throw refused(code, message, details);
}

/** Throws a failure that a record carries, e.g. why a machine did not start. */
export async function raise(failure: Failure): Promise<never> {
  const { GuesthouseError } = await import("../../protocol/failure.ts");
  throw new GuesthouseError(failure);
}
