import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { promiseWithResolvers } from "../../../base/deadline.ts";
import type { GuestAgent } from "../../guests/agent/agent.ts";
import type { AgentCall } from "../../images/windows/contract/contractLine.ts";
import type { SshSession } from "../../ssh/session.ts";

/** What came of one question. */
export interface Answer {
  readonly output: string;
  /** Why it is not what it must be; absent when it is. */
  readonly reason?: string;
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const firstLine = (text: string): string =>
  text.trim().split(/\r?\n/, 1)[0] ?? "";

/** Pure. */
export function judgeOutput(
  { code, stdout, stderr }: Ended,
  wanted: { readonly expect: RegExp; readonly code?: number },
): Answer {
  const output = [stdout, stderr].filter((text) => text !== "").join("\n");
  if (code !== (wanted.code ?? 0))
    return {
      output,
      reason: `It ended with code ${String(code)}. ${firstLine(stderr)}`.trim(),
    };
  return wanted.expect.test(stdout.trim())
    ? { output }
    : { output, reason: "It answered something else." };
}

const stepSchema = z.object({
  id: z.string(),
  ok: z.boolean(),
  reason: z.string().nullish(),
});

/** The lines of verify.ps1, by step. Pure. Whatever else it printed is the reason of all when there are none. */
export function stepResults({
  stdout,
  stderr,
}: Ended): ReadonlyMap<string, Answer> {
  const results = new Map<string, Answer>();
  for (const output of stdout.split(/\r?\n/)) {
    const step = stepSchema.safeParse(jsonOf(output)).data;
    if (step === undefined) continue;
    results.set(
      step.id,
      step.ok ? { output } : { output, reason: step.reason ?? "It failed." },
    );
  }
  if (results.size === 0)
    throw new Error(`The steps can't be verified. ${firstLine(stderr)}`.trim());
  return results;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const neededCommands = [
  ...["guest-exec", "guest-exec-status", "guest-file-open", "guest-file-read"],
  ...["guest-file-write", "guest-file-close", "guest-get-osinfo"],
  ...["guest-get-time", "guest-set-time", "guest-network-get-interfaces"],
  "guest-shutdown",
];
const clockToleranceMs = 5_000;

type WithAgent = <T>(work: (agent: GuestAgent) => Promise<T>) => Promise<T>;

interface Known {
  readonly agentSocket: string;
  readonly macAddress: string;
  readonly address: string;
}

/** Asks the agent one of the contract's questions. Throws what the agent's client does. */
export function askAgent(
  call: AgentCall,
  known: Known,
  agent: WithAgent,
  signal: AbortSignal,
): Promise<Answer> {
  return agentQuestions[call](known, agent, signal);
}

const agentQuestions: Readonly<
  Record<
    AgentCall,
    (known: Known, agent: WithAgent, signal: AbortSignal) => Promise<Answer>
  >
> = {
  commands: async (_, agent, signal) => {
    const commands = await agent((one) => one.commands(signal));
    const lacking = neededCommands.filter((name) => !commands.has(name));
    const output = [...commands].sort().join(" ");
    return lacking.length === 0
      ? { output }
      : { output, reason: `It lacks ${lacking.join(", ")}.` };
  },

  resync: async ({ agentSocket }, agent, signal) => {
    await leaveHalf(agentSocket, signal);
    await agent((one) => one.ping(signal));
    return { output: "answered" };
  },

  exec: async (_, agent, signal) =>
    judgeOutput(await agent((one) => one.exec(["hostname"], {}, signal)), {
      expect: /^\S+$/,
    }),

  files: (_, agent, signal) =>
    agent(async (one) => {
      const isWindows = (await one.osInfo(signal)).id === "mswindows";
      const path = `${isWindows ? "C:\\Windows\\Temp\\" : "/tmp/"}${scratchName()}`;
      const content = randomBytes(100_000);
      try {
        await one.writeFile(path, content, signal);
        return compared(content, await one.readFile(path, signal));
      } finally {
        await one
          .exec(isWindows ? ["cmd.exe", "/c", "del", path] : ["rm", "-f", path])
          .catch(() => undefined);
      }
    }),

  network: async ({ macAddress, address }, agent, signal) => {
    const cards = await agent((one) => one.networkInterfaces(signal));
    const output = JSON.stringify(cards);
    const mine = cards.find(
      (card) => card.macAddress?.toLowerCase() === macAddress.toLowerCase(),
    );
    if (mine === undefined)
      return { output, reason: `No card has the address ${macAddress}.` };
    return mine.addresses.some((each) => each.startsWith(`${address}/`))
      ? { output }
      : { output, reason: `Its card does not have ${address}.` };
  },

  clock: async (_, agent, signal) => {
    const [before, told, after] = await agent(async (one) => [
      Date.now(),
      await one.time(signal),
      Date.now(),
    ]);
    const output = told.toISOString();
    const offMs = Math.max(before - told.getTime(), told.getTime() - after, 0);
    return offMs <= clockToleranceMs
      ? { output }
      : {
          output,
          reason: `It is ${(offMs / 1000).toFixed(1)} s away from the host's.`,
        };
  },

  system: async (_, agent, signal) => {
    const system = await agent((one) => one.osInfo(signal));
    const output = JSON.stringify(system);
    return system.id === "mswindows"
      ? { output }
      : { output, reason: `It says ${system.id ?? "nothing"}.` };
  },
};

const scratchName = (): string =>
  `guesthouse-selftest-${randomBytes(6).toString("hex")}`;

const compared = (sent: Buffer, came: Buffer): Answer => {
  const output = `${String(came.length)} bytes`;
  return sent.equals(came)
    ? { output }
    : {
        output,
        reason: `${String(sent.length)} bytes were sent, and what came back differs.`,
      };
};

/** Says half of something and goes. */
async function leaveHalf(
  socketPath: string,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = promiseWithResolvers<void>();
  const socket = connect({ path: socketPath, signal });
  socket.once("error", reject);
  socket.once("connect", () =>
    socket.write('{"execute": "guest-pi', () => resolve()),
  );
  try {
    await promise;
  } finally {
    socket.destroy();
  }
}

/** Sends a file to the user's folder and fetches it again. */
export async function exchangeFile(
  session: SshSession,
  signal: AbortSignal,
): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), "guesthouse-selftest-"));
  const remote = scratchName();
  const [there, back] = [join(folder, "there"), join(folder, "back")];
  const content = Buffer.concat([
    Buffer.from("a line\nanother line\r\n\ufeff\0"),
    randomBytes(100_000),
  ]);
  try {
    await writeFile(there, content, { mode: 0o600 });
    await session.upload(there, remote, signal);
    await session.download(remote, back, signal);
    return compared(content, await readFile(back));
  } finally {
    // One of the two is what the guest's shell calls it.
    await session
      .exec(`rm ${remote} || del ${remote}`, {}, signal)
      .catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}
