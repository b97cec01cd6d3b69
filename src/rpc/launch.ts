/*
 * How a client gets its helper: it is found, or spawned so that it outlives us, and hands are shaken. It owns nothing
 * afterwards but the connection that it answers with. The extension and the command line call `ensureHelper`.
 */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promiseWithResolvers, sleep, withDeadline } from "../base/deadline.ts";
import { hasErrorCode } from "../base/files.ts";
import { failed, failureSchema, GuesthouseError } from "../protocol/failure.ts";
import { type HelperStatus, protocolVersion } from "../protocol/helper.ts";
import { helperSocketOf, runFolderOf } from "./address.ts";
import { createClient, type RpcClient } from "./call.ts";
import { requireOwnFolder } from "./ownFolder.ts";
import { dial } from "./transport.ts";

export interface LaunchOptions {
  readonly home: string;
  /** Program and leading arguments that run the helper bundle; `daemon run` is added. */
  readonly command: readonly string[];
  /** Added to the helper's environment, e.g. `ELECTRON_RUN_AS_NODE`. */
  readonly env?: Readonly<Record<string, string>>;
  /** The client's own version. */
  readonly version: string;
  readonly client: "window" | "cli";
}

export interface Helper {
  readonly client: RpcClient;
  readonly status: HelperStatus;
}

const dialTimeoutMs = 5_000;
const startTimeoutMs = 20_000;

/**
 * Finds the user's helper or starts one, and shakes hands. An older helper is asked to hand over: it goes, its guests
 * run on, and a helper of the client's own version adopts them (B20). A helper in the middle of making an image is
 * left to finish as long as both speak the same protocol.
 * Throws `helper.unreachable` or `helper.versionMismatch`, or the failure that kept the helper from starting.
 */
export async function ensureHelper(
  options: LaunchOptions,
  signal?: AbortSignal,
): Promise<Helper> {
  for (let round = 0; round < 4; round++) {
    const helper =
      (await greet(options, signal)) ?? (await startAndGreet(options, signal));
    if (helper === undefined) continue;
    const order = compareVersions(helper.status.version, options.version);
    const sameProtocol = helper.status.protocol === protocolVersion;
    if (sameProtocol && (order >= 0 || helper.status.busy)) return helper;
    if (order > 0 || (order === 0 && !sameProtocol))
      throw tooNew(helper.status);
    await handOver(helper);
  }
  throw failed(
    "helper.unreachable",
    "The Guesthouse helper could not be reached.",
    {
      remedy: "Look at the helper's log, then try again.",
      actions: ["retry", "showLog"],
    },
  );
}

/** Connects to a running helper; undefined when there is none. */
export async function greet(
  options: Omit<LaunchOptions, "command">,
  signal?: AbortSignal,
): Promise<Helper | undefined> {
  let socket;
  try {
    await requireOwnFolder(runFolderOf(options.home));
    socket = await dial(helperSocketOf(options.home), dialTimeoutMs, signal);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT") || hasErrorCode(error, "ECONNREFUSED"))
      return undefined;
    throw error;
  }
  const client = createClient(socket);
  try {
    const { version, client: kind } = options;
    const { status } = await withDeadline(
      "The helper's greeting",
      dialTimeoutMs,
      (inner) =>
        client.call(
          "helper.hello",
          { version, protocol: protocolVersion, client: kind },
          inner,
        ),
    );
    return { client, status };
  } catch (error) {
    client.close();
    // A helper on its way out accepts and closes: start over.
    if (
      error instanceof GuesthouseError &&
      error.failure.code === "helper.unreachable"
    )
      return undefined;
    throw error;
  }
}

async function startAndGreet(
  options: LaunchOptions,
  signal?: AbortSignal,
): Promise<Helper | undefined> {
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  await startHelper(options);
  for (let waitedMs = 0; waitedMs < 2_000; waitedMs += 50) {
    const helper = await greet(options, signal);
    if (helper !== undefined) return helper;
    await sleep(50, signal);
  }
  return undefined;
}

/**
 * Spawns the helper so that it outlives us. It writes one line to its standard output, `{"ready":true}` or
 * `{"failure":…}`; nothing else ever comes that way.
 */
async function startHelper(options: LaunchOptions): Promise<void> {
  const [program, ...leading] = options.command;
  if (program === undefined)
    throw new TypeError("the helper's command is empty");
  const child = spawn(program, [...leading, "daemon", "run"], {
    detached: true,
    windowsHide: true,
    stdio: ["ignore", "pipe", "ignore"],
    cwd: options.home,
    env: { ...process.env, ...options.env, GUESTHOUSE_HOME: options.home },
  });
  const said = promiseWithResolvers<string>();
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (text.includes("\n")) said.resolve(text);
  });
  child.stdout.once("close", () => said.resolve(text));
  child.once("error", (error) => said.reject(error));
  try {
    const line = await withDeadline(
      "Starting the helper",
      startTimeoutMs,
      () => said.promise,
    );
    const first: unknown = JSON.parse(line.trim() === "" ? "null" : line);
    const failure = failureSchema.safeParse(
      first !== null && typeof first === "object" && "failure" in first
        ? first.failure
        : undefined,
    );
    if (failure.success) throw new GuesthouseError(failure.data);
    if (first === null)
      throw new Error(
        `the helper ended at once (exit code ${String(child.exitCode)})`,
      );
  } catch (error) {
    if (error instanceof GuesthouseError) throw error;
    throw failed(
      "helper.unreachable",
      `The Guesthouse helper did not start: ${String(error instanceof Error ? error.message : error)}.`,
      {
        remedy: "Look at the helper's log, then try again.",
        actions: ["showLog", "retry"],
        cause: error,
      },
    );
  } finally {
    child.stdout.destroy();
    child.unref();
  }
}

async function handOver(helper: Helper): Promise<void> {
  await helper.client
    .call("helper.stop", { reason: "handOver" })
    .catch(() => undefined);
  // One that does not go in time is met again, and asked again, in the next round.
  await withDeadline("Handing over", 5_000, () => helper.client.closed).catch(
    () => undefined,
  );
  helper.client.close();
}

const tooNew = (status: HelperStatus): GuesthouseError =>
  failed(
    "helper.versionMismatch",
    `The running Guesthouse helper (${status.version}) is newer than this program and speaks another protocol.`,
    {
      remedy:
        "Update this program, or run `guesthouse daemon stop` with the newer one.",
    },
  );

/** Negative when `a` is older; compares dotted numbers, ignoring anything after `-` or `+`. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string): number[] =>
    (version.split(/[-+]/, 1)[0] ?? "").split(".").map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
