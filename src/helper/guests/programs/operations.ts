import { given } from "../../../base/given.ts";
import { failed, type GuesthouseError } from "../../../protocol/failure.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import {
  type AgentOptions,
  type GuestAgent,
  type GuestExecResult,
  type GuestInterface,
  type GuestUser,
  withAgent,
} from "../agent/agent.ts";
import type { Program } from "./program.ts";
import { systemOfAgent, systems } from "./systems.ts";

/**
 * What is done inside a guest by its agent: each thing by the agent's own command where this one takes it, else by a
 * program of the guest. Refused as the agent refuses it where neither is allowed.
 */
export interface GuestOperations {
  /** What the guest itself says that it is; where it may not say, what its image is known as. */
  readonly system: GuestSystem;
  /** Throws where the connection is broken, so that the wrapper may take a fresh one. */
  readonly ping: GuestAgent["ping"];
  /** See `GuestAgent.exec`. */
  readonly exec: GuestAgent["exec"];
  /** Runs a program that must end with 0. Throws `machines.notReady` with what it said. */
  run(
    what: string,
    program: Program,
    signal?: AbortSignal,
  ): Promise<GuestExecResult>;
  readFile(path: string, signal?: AbortSignal): Promise<Buffer>;
  writeFile(path: string, content: Buffer, signal?: AbortSignal): Promise<void>;
  /** Sets the clock to this very moment: no guest is asked to find it out. */
  setTime(at: Date, signal?: AbortSignal): Promise<void>;
  networkInterfaces(signal?: AbortSignal): Promise<GuestInterface[]>;
  users(signal?: AbortSignal): Promise<GuestUser[]>;
  /** Afterwards these public key lines are the only ones of the user. */
  authorizeKeys(
    user: string,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<void>;
}

/** A program of ours may have to be translated by an emulator first; PowerShell takes its time in any case. */
const programMs = 60_000;

/** Operations over a connection to the agent, which is asked once what it takes and what the guest is. */
export async function guestOperations(
  agent: GuestAgent,
  expected: GuestSystem,
  signal?: AbortSignal,
): Promise<GuestOperations> {
  const commands = await agent.commands(signal);
  const system = await systemOf(agent, commands, expected, signal);
  const { programs } = systems[system];
  const run: GuestOperations["run"] = async (what, program, within) => {
    const { argv, input } = program;
    const result = await agent.exec(
      argv,
      { timeoutMs: programMs, ...given({ input }) },
      within,
    );
    if (result.code !== 0) throw programFailed(what, result);
    return result;
  };
  /** Several commands where one alone would not do, such as a file's open, write and close. */
  const takes = (...names: readonly string[]): boolean =>
    names.every((name) => commands.has(name));
  return {
    system,
    ping: (within) => agent.ping(within),
    exec: (argv, options, within) => agent.exec(argv, options, within),
    run,
    readFile: async (path, within) => {
      if (takes("guest-file-open", "guest-file-read", "guest-file-close"))
        return agent.readFile(path, within);
      const program = programs.readFile(path);
      const { stdout } = await run(`reading ${path}`, program, within);
      return Buffer.from(stdout, "base64");
    },
    writeFile: async (path, content, within) => {
      if (takes("guest-file-open", "guest-file-write", "guest-file-close"))
        return agent.writeFile(path, content, within);
      const program = programs.writeFile(path, content);
      await run(`writing ${path}`, program, within);
    },
    setTime: async (at, within) => {
      if (takes("guest-set-time")) return agent.setTime(at, within);
      await run("setting the clock", programs.setTime(at), within);
    },
    networkInterfaces: async (within) => {
      if (takes("guest-network-get-interfaces"))
        return agent.networkInterfaces(within);
      const { program, read } = programs.interfaces;
      return read((await run("listing its cards", program, within)).stdout);
    },
    users: async (within) => {
      if (takes("guest-get-users")) return agent.users(within);
      const { program, read } = programs.users;
      return read((await run("listing its users", program, within)).stdout);
    },
    authorizeKeys: async (user, keys, within) => {
      if (takes("guest-ssh-add-authorized-keys"))
        return agent.authorizeKeys(user, keys, within);
      const program = programs.authorizeKeys(user, keys);
      await run(`taking in the key of ${user}`, program, within);
    },
  };
}

/** The one wrapper (B39), with operations instead of the bare agent. `work` may run more than once. */
export const withGuest = <T>(
  socketPath: string,
  {
    expected,
    ...options
  }: AgentOptions & {
    readonly tries?: number;
    /** See `guestOperations`. */
    readonly expected: GuestSystem;
  },
  work: (guest: GuestOperations, signal?: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> =>
  withAgent(
    socketPath,
    options,
    async (agent, within) =>
      work(await guestOperations(agent, expected, within), within),
    signal,
  );

async function systemOf(
  agent: GuestAgent,
  commands: ReadonlySet<string>,
  expected: GuestSystem,
  signal?: AbortSignal,
): Promise<GuestSystem> {
  if (!commands.has("guest-get-osinfo")) return expected;
  const { id } = await agent.osInfo(signal);
  return id === undefined ? expected : systemOfAgent(id);
}

const programFailed = (
  what: string,
  { code, stdout, stderr }: GuestExecResult,
): GuesthouseError =>
  failed(
    "machines.notReady",
    `The guest did not manage ${what}: ${stderr.trim() || stdout.trim() || `exit code ${String(code)}`}.`,
    { remedy: "Look at the guest's own log, then try again." },
  );
