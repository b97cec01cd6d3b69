import * as z from "zod";
import type { Diagnosis } from "../../../protocol/machines.ts";
import { jsonOrNothing, maxListed, name, words } from "../agent/guestAnswer.ts";

export type CloudInitReport = NonNullable<Diagnosis["cloudInit"]>;

/** Runs a program in the guest as root, by whatever way there is. */
export type RunInGuest = (
  argv: readonly string[],
  signal?: AbortSignal,
) => Promise<{ readonly code: number; readonly stdout: string }>;

const separator = "==guesthouse==";

/**
 * `cloud-init status` itself takes seconds of an emulated processor; the files it reads take none. Places:
 * https://docs.cloud-init.io/en/latest/explanation/return_codes.html and …/reference/user_files.html
 */
const script = [
  "cat /run/cloud-init/status.json 2>/dev/null",
  "cat /run/cloud-init/result.json 2>/dev/null",
  "grep -hE 'WARNING|ERROR|CRITICAL|Traceback|[A-Za-z]+Error:' /var/log/cloud-init.log 2>/dev/null | tail -n 20",
  "tail -n 20 /var/log/cloud-init-output.log 2>/dev/null",
].join(`; echo; echo ${separator}; `);

/** Asks the guest how cloud-init fared (B10); undefined when the guest has none or can't be asked. */
export async function askCloudInit(
  run: RunInGuest,
  signal?: AbortSignal,
): Promise<CloudInitReport | undefined> {
  const { stdout } = await run(["sh", "-c", script], signal);
  return readCloudInit(stdout);
}

const stage = z.object({
  errors: z.array(words).max(maxListed).optional(),
  start: z.number().nullish(),
  finished: z.number().nullish(),
});

/** Newer releases call a failed module recoverable and list it by severity. */
const recoverable = z.record(name, z.array(words).max(maxListed)).optional();

const status = z.object({
  v1: z.looseObject({ stage: name.nullish() }),
});
const result = z.object({
  v1: z.object({ errors: z.array(z.string()).optional() }),
});

/** Pure: the script's output, understood. Statuses are those of `cloud-init status`: running, done, error. */
export function readCloudInit(output: string): CloudInitReport | undefined {
  const [statusText = "", resultText = "", problems = "", logTail = ""] =
    output.split(separator);
  const now = status.safeParse(jsonOrNothing(statusText));
  if (!now.success) return undefined;
  const finished = result.safeParse(jsonOrNothing(resultText));
  const errors = new Set(finished.data?.v1.errors ?? []);
  for (const [name, value] of Object.entries(now.data.v1)) {
    const one = stage.safeParse(value);
    for (const error of one.data?.errors ?? []) errors.add(`${name}: ${error}`);
    const more = z.object({ recoverable_errors: recoverable }).safeParse(value);
    for (const [severity, all] of Object.entries(
      more.data?.recoverable_errors ?? {},
    ))
      if (severity !== "DEPRECATED")
        for (const error of all) errors.add(`${name}: ${error}`);
  }
  const running = !finished.success || typeof now.data.v1.stage === "string";
  return {
    status: errors.size > 0 ? "error" : running ? "running" : "done",
    errors: [...dedupe(errors)],
    logTail: [...linesOf(problems), ...linesOf(logTail)],
  };
}

/** The result file repeats what a stage has said already. */
function dedupe(errors: ReadonlySet<string>): string[] {
  const all = [...errors];
  return all.filter(
    (error) =>
      !all.some((other) => other !== error && other.endsWith(`: ${error}`)),
  );
}

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => words.parse(line.trimEnd()))
    .filter((line) => line !== "");
