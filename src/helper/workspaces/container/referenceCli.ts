/*
 * One run of the reference implementation in a VM: its arguments, its log in ours, its result. What it does in the VM is its
 * own business; what it says is checked. Called by `up/container.ts`.
 */
import { visible } from "../../../base/visible.ts";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import { shellQuote } from "../../ssh/quote.ts";
import type { SshSession } from "../../ssh/session.ts";
import { CommandFailure } from "../guest/failure.ts";
import { runHeld } from "../guest/held.ts";
import { stateFolder } from "../guest/guestScripts.ts";
import { Tail, type WorkspaceLog } from "../guest/log.ts";
import type { ListedService } from "./engine.ts";
import { referenceScript } from "./guestScripts.ts";
import { wantsCredentials } from "./registries.ts";
import type { ReferenceConfig } from "./referenceConfig.ts";
import { blameOf, stateLines } from "./services.ts";
import {
  LineReader,
  readLogLine,
  readResult,
  type ReferenceResult,
} from "./referenceLog.ts";

export interface ReferenceUp {
  /** The workspace's folder in the VM. */
  readonly folder: string;
  /** The configuration's path below it. */
  readonly path: string;
  readonly config: ReferenceConfig["file"];
  /** Variables of this computer for it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of Compose: what became of its services. */
  readonly services?: (signal: AbortSignal) => Promise<ListedService[]>;
  /** The container that is there goes first. */
  readonly fresh: boolean;
  /** A config.json of Docker with this computer's credentials; asked for once a registry wants them. */
  readonly credentials: () => Promise<string | undefined>;
}

export type BroughtUp = Extract<ReferenceResult, { outcome: "success" }>;

const argsOf = ({ folder, path, fresh }: ReferenceUp): string[] => [
  "up",
  ...["--workspace-folder", folder],
  ...["--config", `${folder}/${path}`],
  ...["--log-format", "json"],
  // Commands are run by us, over SSH: they can be followed, cancelled and remembered like those of any VM.
  "--skip-post-create",
  "--include-merged-configuration",
  // No VM has one.
  ...["--gpu-availability", "none"],
  // A lockfile of the folder is obeyed; nothing is written beside the user's files.
  ...["--user-data-folder", `${stateFolder}/devcontainer`],
  ...(fresh ? ["--remove-existing-container"] : []),
];

const tailLines = 12;
const patience = 1 << 20;

/**
 * Builds, makes and starts the container. Throws a `CommandFailure` with the last words of what failed, the state of its
 * services included.
 */
export async function referenceUp(
  session: SshSession,
  up: ReferenceUp,
  log: WorkspaceLog,
  signal: AbortSignal,
): Promise<BroughtUp> {
  const first = await run(session, { up, docker: "" }, log, signal);
  if ("containerId" in first) return first;
  const docker = wantsCredentials(first.outcome.tail)
    ? await up.credentials()
    : undefined;
  if (docker === undefined) throw first;
  log.note("A registry wants credentials: trying again with this computer's.");
  const second = await run(session, { up, docker }, log, signal);
  if ("containerId" in second) return second;
  throw second;
}

async function run(
  session: SshSession,
  { up, docker }: { readonly up: ReferenceUp; readonly docker: string },
  log: WorkspaceLog,
  signal: AbortSignal,
): Promise<BroughtUp | CommandFailure> {
  const config = JSON.stringify(up.config);
  const environment = Object.entries(up.environment)
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
    .join("");
  const tail = new Tail(tailLines);
  let result: ReferenceResult | undefined;
  const lines = new LineReader((line) => {
    const found = line.includes('"outcome"') ? readResult(line) : undefined;
    if (found !== undefined) {
      result = found;
      return;
    }
    const text = readLogLine(line);
    if (text === undefined) return;
    tail.take(text);
    log.write(text);
  });
  const code = await runHeld(
    session,
    {
      line: referenceScript(
        up.folder,
        {
          config: Buffer.byteLength(config),
          docker: Buffer.byteLength(docker),
          environment: Buffer.byteLength(environment),
        },
        argsOf(up),
      ),
      input: config + docker + environment,
    },
    (text) => lines.take(text.slice(0, patience)),
    signal,
  );
  lines.end();
  signal.throwIfAborted();
  if (result?.outcome === "success" && code === 0) return result;
  const listed = await servicesAfter(up, log, signal);
  const why =
    result?.outcome === "error"
      ? [result.description ?? "", result.message ?? ""]
          .map((words) => words.trim().replace(/\.$/, ""))
          .filter((words) => words !== "")
          .join(": ")
      : "";
  return upFailureOf({ code, why, tail: tail.lines() }, listed, log.path);
}

/** A failing Compose says nothing of why; its services do. What can't be asked is left out. */
async function servicesAfter(
  { services }: ReferenceUp,
  log: WorkspaceLog,
  signal: AbortSignal,
): Promise<readonly ListedService[]> {
  const listed = (await services?.(signal).catch(() => undefined)) ?? [];
  signal.throwIfAborted();
  if (listed.length > 0) {
    log.note("State of the services:");
    log.write(stateLines(listed));
  }
  return listed;
}

/** `why` and `tail` are the reference implementation's words; of Compose it says only that it failed. Pure. */
export function upFailureOf(
  {
    code,
    why,
    tail,
  }: {
    readonly code: number;
    readonly why: string;
    readonly tail: readonly string[];
  },
  listed: readonly ListedService[],
  logPath: string,
): CommandFailure {
  // A service that isn't up by then is why.
  const blamed = /\bcompose\b.*\bup\b/.test(why) ? blameOf(listed) : undefined;
  const told =
    blamed === undefined || blamed.tail.length === 0 ? tail : blamed.tail;
  return new CommandFailure(
    { code, tail: [...told] },
    upFailure(blamed?.why ?? why, told, logPath),
  );
}

/** What the client is told of a container that did not come up: why, its last words, and what can be done. Pure. */
export function upFailure(
  why: string,
  tail: readonly string[],
  logPath: string,
): GuesthouseError {
  const said = tail.map((line) => `    ${visible(line)}`).join("\n");
  return failed(
    "workspaces.containerFailed",
    `The dev container didn't come up${why === "" ? "" : `: ${visible(why)}`}${said === "" ? "." : `\nIts last output:\n${said}`}`,
    {
      remedy: `The whole output is in ${logPath}. The VM is kept: correct the configuration and bring the folder up again.`,
      actions: ["retry", "showLog", "openVm"],
    },
  );
}
