import { readFile } from "node:fs/promises";
import * as z from "zod";
import { withDeadline } from "../../../../base/deadline.ts";
import { toFailure } from "../../../../protocol/failure.ts";
import { jsonOrNothing } from "../../../guests/agent/guestAnswer.ts";
import { windowsCommand } from "../../../guests/programs/powershellProgram.ts";
import { openStranger } from "../../../ssh/client.ts";
import { ensureUserKey } from "../../../ssh/keys.ts";
import { sessionOver, type SshSession } from "../../../ssh/session.ts";
import type { StrangerTarget } from "../../../ssh/target.ts";
import type { SshFiles } from "../../../store/layout.ts";
import { readScriptSources } from "../steps/scripts.ts";
import { windowsSteps } from "../steps/steps.ts";
import { beginMs, beginning } from "./beginning.ts";
import type { InstallHost } from "./host.ts";
import type { DiskOrigin } from "./record.ts";
import { type InstallResults, readResults, resultFiles } from "./results.ts";
import type { InstallSight } from "./watch.ts";

/** An SSH server of Windows that somebody else set up, and who may log in there. */
export interface SshAccess {
  /** Of this host. */
  readonly port: number;
  readonly user: string;
  readonly login: NonNullable<DiskOrigin["login"]>;
  /** Where our own key is: the steps let that in, and passwords no more. */
  readonly identity: SshFiles;
}

/**
 * Gets the steps begun over SSH, for a disk whose agent doesn't answer; undefined while no server does. Unverified on
 * Windows.
 */
export async function beginBySsh(
  access: SshAccess,
  preparation: string,
  signal: AbortSignal,
): Promise<InstallSight["begun"]> {
  const { command, stdin } = windowsCommand(...beginning(preparation));
  const found = await inside(
    access,
    (session, within) => session.exec(command, { stdin }, within),
    signal,
  );
  if (found === undefined || "refusal" in found) return found;
  const { code, stdout, stderr } = found.value;
  if (code === 0) return true;
  const said = stderr.trim() || stdout.trim();
  return { refusal: said || `PowerShell ended with code ${String(code)}.` };
}

/** Every file that is there, by its path. */
export const filesScript = `$found = @{}
foreach ($path in $Values.paths) {
  if (Test-Path -LiteralPath $path) { $found[$path] = [IO.File]::ReadAllText($path) }
}
ConvertTo-Json -InputObject $found -Compress`;

const filesSchema = z.record(z.string(), z.string());

/** What the scripts have written so far, by one question; undefined while nobody answers it. */
export async function resultsBySsh(
  { resources }: Pick<InstallHost, "resources">,
  access: SshAccess,
  signal: AbortSignal,
): Promise<InstallResults | undefined> {
  const steps = windowsSteps(await readScriptSources(resources));
  const paths = resultFiles(steps);
  const { command, stdin } = windowsCommand(filesScript, { paths });
  const found = await inside(
    access,
    (session, within) => session.exec(command, { stdin }, within),
    signal,
  );
  if (found === undefined || "refusal" in found || found.value.code !== 0)
    return undefined;
  const { data: texts } = filesSchema.safeParse(
    jsonOrNothing(found.value.stdout),
  );
  if (texts === undefined) return undefined;
  return readResults((path) => Promise.resolve(texts[path]), steps);
}

const limits = { bannerTimeoutMs: 5_000, loginTimeoutMs: 20_000 };

/** Logs in by what was given or, where that is let in no more, by our own key. What breaks is asked again at the next look. */
async function inside<T>(
  access: SshAccess,
  work: (session: SshSession, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T } | { readonly refusal: string } | undefined> {
  let refusal: string | undefined;
  try {
    for (const login of await loginsOf(access)) {
      const { port, user } = access;
      const target = { host: "127.0.0.1", port, user, login };
      const outcome = await openStranger(target, limits, signal);
      if (outcome.kind === "loginRefused") {
        refusal ??= `SSH refuses the login of ${user}: ${outcome.detail}.`;
        continue;
      }
      if (outcome.kind !== "open") return undefined;
      const session = sessionOver(outcome.client);
      try {
        return {
          value: await withDeadline(
            "PowerShell over SSH",
            beginMs,
            (within) => work(session, within),
            signal,
          ),
        };
      } finally {
        session.close();
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    return { refusal: toFailure(error).message };
  }
  return refusal === undefined ? undefined : { refusal };
}

async function loginsOf({
  login: { passwordFile, keyFile },
  identity,
}: SshAccess): Promise<StrangerTarget["login"][]> {
  const text = (path: string): Promise<string> => readFile(path, "utf8");
  return [
    ...(keyFile === undefined ? [] : [{ privateKey: await text(keyFile) }]),
    ...(passwordFile === undefined
      ? []
      : [{ password: (await text(passwordFile)).replace(/\r?\n$/, "") }]),
    { privateKey: (await ensureUserKey(identity)).privateKey },
  ];
}
