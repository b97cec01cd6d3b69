import { given } from "../../../base/given.ts";
import { sleep } from "../../../base/deadline.ts";
import { retry } from "../../../base/retry.ts";
import { failed, GuesthouseError, refused } from "../../../protocol/failure.ts";
import { readGuestFile, writeGuestFile } from "./files.ts";
import { AgentWire } from "./wire.ts";
import { guestAnswer } from "./guestAnswer.ts";
import * as shape from "./shapes.ts";

export interface GuestInterface {
  readonly name: string;
  readonly macAddress?: string | undefined;
  /** With prefix length, e.g. `10.0.2.15/24`. */
  readonly addresses: readonly string[];
  readonly receivedBytes?: number | undefined;
  readonly sentBytes?: number | undefined;
}

export interface GuestExecResult {
  /** -1 when a signal ended it. */
  readonly code: number;
  readonly signal?: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Somebody who is logged in at the guest's console or desktop. */
export interface GuestUser {
  readonly user: string;
  /** Of Windows. */
  readonly domain?: string | undefined;
}

export interface GuestOs {
  /** `debian`, …; Windows says `mswindows`. */
  readonly id?: string | undefined;
  readonly prettyName?: string | undefined;
  readonly kernel?: string | undefined;
}

/** The agent inside one guest, over one connection. Calls run one after the other; a broken connection ends it (B39). */
export interface GuestAgent {
  ping(signal?: AbortSignal): Promise<void>;
  /** Names of the commands that it takes: those that it was not built with or that somebody forbade are left out. */
  commands(signal?: AbortSignal): Promise<ReadonlySet<string>>;
  osInfo(signal?: AbortSignal): Promise<GuestOs>;
  networkInterfaces(signal?: AbortSignal): Promise<GuestInterface[]>;
  /** Refused when the program writes more than 16 MiB. */
  exec(
    argv: readonly string[],
    options?: { input?: string; timeoutMs?: number },
    signal?: AbortSignal,
  ): Promise<GuestExecResult>;
  /** A whole file; refused beyond 16 MiB. */
  readFile(path: string, signal?: AbortSignal): Promise<Buffer>;
  /** Makes the file or writes over it; who may read it is as the guest has it for new files. */
  writeFile(path: string, content: Buffer, signal?: AbortSignal): Promise<void>;
  users(signal?: AbortSignal): Promise<GuestUser[]>;
  /** Afterwards these public key lines are the only ones of the user. */
  authorizeKeys(
    user: string,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Gives freed blocks of all file systems back to the host. */
  trim(signal?: AbortSignal): Promise<void>;
  /** Writes everything to the disk. */
  sync(signal?: AbortSignal): Promise<void>;
  time(signal?: AbortSignal): Promise<Date>;
  setTime(at: Date, signal?: AbortSignal): Promise<void>;
  /** Acknowledged by the guest going away; settles once the request is sent. */
  shutdown(mode: "powerdown" | "reboot", signal?: AbortSignal): Promise<void>;
  close(): void;
}

export interface AgentOptions {
  /** For the connection with its synchronisation, and again for each call. */
  readonly timeoutMs: number;
}

/**
 * Connects to QEMU's socket of the agent channel and synchronises with the agent. QEMU serves one connection at a time,
 * so keep it short. Throws `machines.notReady`: `failed` when nothing answers or the connection breaks, `refused` when
 * the agent itself says no.
 * Source: https://www.qemu.org/docs/master/interop/qemu-ga-ref.html
 */
export async function connectAgent(
  socketPath: string,
  options: AgentOptions,
  signal?: AbortSignal,
): Promise<GuestAgent> {
  const wire = new AgentWire(socketPath, options.timeoutMs);
  try {
    await wire.synchronise(signal);
    return agentOver(wire);
  } catch (error) {
    wire.close();
    throw error;
  }
}

/**
 * The one wrapper for calls into a guest (B39): a fresh connection for each try, dropped when it breaks. `work` may run
 * more than once. What the agent refuses is not tried again.
 */
export function withAgent<T>(
  socketPath: string,
  options: AgentOptions & { readonly tries?: number },
  work: (agent: GuestAgent, signal: AbortSignal | undefined) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return retry(
    {
      tries: options.tries ?? 2,
      delayMs: 200,
      again: (error) =>
        error instanceof GuesthouseError && error.failure.kind === "failed",
    },
    async () => {
      const agent = await connectAgent(socketPath, options, signal);
      try {
        return await work(agent, signal);
      } finally {
        agent.close();
      }
    },
    signal,
  );
}

function agentOver(wire: AgentWire): GuestAgent {
  const exec: GuestAgent["exec"] = (argv, options = {}, signal) =>
    execute(wire, argv, options, signal);
  return {
    exec,
    ping: async (signal) => {
      await wire.call("guest-ping", {}, signal);
    },
    commands: async (signal) => {
      const { supported_commands: all } = guestAnswer(
        "guest-info",
        shape.info,
        await wire.call("guest-info", {}, signal),
      );
      return new Set(
        all.filter(({ enabled }) => enabled).map(({ name }) => name),
      );
    },
    readFile: (path, signal) => readGuestFile(wire, path, signal),
    writeFile: (path, content, signal) =>
      writeGuestFile(wire, path, content, signal),
    users: async (signal) =>
      guestAnswer(
        "guest-get-users",
        shape.users,
        await wire.call("guest-get-users", {}, signal),
      ),
    authorizeKeys: async (username, keys, signal) => {
      const args = { username, keys, reset: true };
      await wire.call("guest-ssh-add-authorized-keys", args, signal);
    },
    osInfo: async (signal) =>
      guestAnswer(
        "guest-get-osinfo",
        shape.osInfo,
        await wire.call("guest-get-osinfo", {}, signal),
      ),
    networkInterfaces: async (signal) =>
      guestAnswer(
        "guest-network-get-interfaces",
        shape.interfaces,
        await wire.call("guest-network-get-interfaces", {}, signal),
      ),
    trim: async (signal) => {
      await wire.call("guest-fstrim", {}, signal, slowCallMs);
    },
    sync: async (signal) => {
      const { code, stderr } = await exec(
        ["sync"],
        { timeoutMs: slowCallMs },
        signal,
      );
      if (code !== 0)
        throw failed(
          "machines.notReady",
          `The guest could not write its data to the disk: sync ended with ${String(code)} ${stderr.trim()}.`,
          { remedy: "Check the guest's disk for errors and free space." },
        );
    },
    time: async (signal) =>
      new Date(
        guestAnswer(
          "guest-get-time",
          shape.time,
          await wire.call("guest-get-time", {}, signal),
        ) / nanosecondsPerMs,
      ),
    setTime: async (at, signal) => {
      await wire.call(
        "guest-set-time",
        { time: at.getTime() * nanosecondsPerMs },
        signal,
      );
    },
    shutdown: (mode, signal) =>
      wire.callWithoutAnswer("guest-shutdown", { mode }, refusalMs, signal),
    close: () => wire.close(),
  };
}

const nanosecondsPerMs = 1_000_000;
/** Trim and sync write as much as the guest has not written yet. */
const slowCallMs = 60_000;
/** How long an agent gets to say that it won't shut down; one that will says nothing. */
const refusalMs = 1_000;

async function execute(
  wire: AgentWire,
  argv: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number },
  signal?: AbortSignal,
): Promise<GuestExecResult> {
  const [path, ...rest] = argv;
  const timeoutMs = options.timeoutMs ?? 30_000;
  const { pid } = guestAnswer(
    "guest-exec",
    shape.execStarted,
    await wire.call(
      "guest-exec",
      {
        path,
        arg: rest,
        "capture-output": true,
        ...(options.input === undefined
          ? {}
          : { "input-data": Buffer.from(options.input).toString("base64") }),
      },
      signal,
    ),
  );
  const giveUpAt = performance.now() + timeoutMs;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    const status = guestAnswer(
      "guest-exec-status",
      shape.execStatus,
      await wire.call("guest-exec-status", { pid }, signal),
    );
    if (status["out-truncated"] === true || status["err-truncated"] === true)
      throw tooMuch(argv);
    if (status.exited)
      return {
        code: status.exitcode ?? -1,
        ...given({ signal: status.signal }),
        stdout: decode(status["out-data"]),
        stderr: decode(status["err-data"]),
      };
    if (performance.now() > giveUpAt)
      throw failed(
        "machines.notReady",
        `“${argv.join(" ")}” did not end in the guest within ${String(timeoutMs)} ms.`,
        { remedy: "The guest may be busy; try again later." },
      );
    await sleep(pauseMs, signal);
  }
}

/** Not tried again: half of an answer is worse than none, and the next half would be the same. */
const tooMuch = (argv: readonly string[]): Error =>
  refused(
    "machines.badRequest",
    `“${argv.join(" ")}” wrote more in the guest than the 16 MiB that the guest agent keeps.`,
    { remedy: "Let it write to a file, and copy that over SSH." },
  );

const decode = (base64: string | undefined): string =>
  Buffer.from(base64 ?? "", "base64").toString("utf8");
