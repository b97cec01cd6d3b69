import * as z from "zod";
import {
  jsonOrNothing,
  maxListed,
  name,
  words,
} from "../../../guests/agent/guestAnswer.ts";
import type { WindowsStep } from "../steps/steps.ts";

/** What Windows' own scripts said of themselves so far; see `resources/windows`. */
export interface InstallResults {
  /** The last word of each step, by its id. */
  readonly steps: ReadonlyMap<string, StepResult>;
  /** How often was remediated; 0 before the first time. */
  readonly round: number;
  /** The marker: digest of the manifest that it was made by. */
  readonly ready?: string;
  /** Ids of the steps that couldn't be mended. */
  readonly failed?: readonly string[];
}

const stepSchema = z.object({
  id: name,
  part: z.enum(["Install", "Verify", "Remediate"]),
  ok: z.boolean(),
  reason: words,
});
export type StepResult = z.infer<typeof stepSchema>;

/** Where the scripts keep what they have to say. */
export const guesthouseFolder = "C:\\ProgramData\\Guesthouse";
const readySchema = z.object({ manifest: name });
// PowerShell writes a list of one as it is, a list.
const failedSchema = z.object({ failed: z.array(name).max(maxListed) });

/** Text of a file in the guest; undefined when there is none. */
export type ReadGuestFile = (path: string) => Promise<string | undefined>;

/** All that the scripts may have written of these steps. */
export const resultFiles = (steps: readonly WindowsStep[]): string[] => [
  ...["ready.json", "failed.json", "round"].map(
    (name) => `${guesthouseFolder}\\${name}`,
  ),
  ...steps.map(({ id }) => stepFile(id)),
];

const stepFile = (id: string): string =>
  `${guesthouseFolder}\\steps\\${id}.json`;

/** Asks for every file that the scripts may have written. Throws what `read` throws. */
export async function readResults(
  read: ReadGuestFile,
  steps: readonly WindowsStep[],
): Promise<InstallResults> {
  const [ready, failed, round] = [
    parsed(readySchema, await read(`${guesthouseFolder}\\ready.json`)),
    parsed(failedSchema, await read(`${guesthouseFolder}\\failed.json`)),
    Number((await read(`${guesthouseFolder}\\round`))?.trim() ?? "0"),
  ];
  const results = new Map<string, StepResult>();
  for (const { id } of steps) {
    const result = parsed(stepSchema, await read(stepFile(id)));
    if (result?.id === id) results.set(id, result);
  }
  return {
    steps: results,
    round: Number.isInteger(round) && round >= 0 ? round : 0,
    ...(ready === undefined ? {} : { ready: ready.manifest }),
    ...(failed === undefined ? {} : { failed: failed.failed }),
  };
}

/** The log that the scripts keep. */
export const setupLog = `${guesthouseFolder}\\setup.log`;

/** A file that is being written at this moment is half there: it is looked at again the next time. */
function parsed<T>(
  schema: z.ZodType<T>,
  text: string | undefined,
): T | undefined {
  if (text === undefined) return undefined;
  return schema.safeParse(jsonOrNothing(text.replace(/^\ufeff/, ""))).data;
}
