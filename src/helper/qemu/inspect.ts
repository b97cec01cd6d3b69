import { stat } from "node:fs/promises";
import { ExecaError, execa } from "execa";
import * as z from "zod";
import { withDeadline } from "../../base/deadline.ts";
import { failed } from "../../protocol/failure.ts";
import { decodeMessage } from "./qmpWire.ts";

/** What an installed QEMU can do. */
export interface QemuFacts {
  readonly version: {
    readonly major: number;
    readonly minor: number;
    readonly micro: number;
  };
  /** Built with seccomp. */
  readonly sandbox: boolean;
  /** Every machine type that it can play, also those of older versions: `pc-q35-7.2`, … */
  readonly machineTypes: readonly string[];
  /** Built with user-mode networking (libslirp). */
  readonly userNetwork: boolean;
}

const memo = new Map<string, Promise<QemuFacts>>();
const questionTimeoutMs = 20_000;

/**
 * Asks a QEMU binary (absolute path) once per file version, some 50 ms; later calls answer from memory.
 * Throws `host.toolMissing` without the file, `host.toolFailed` when it doesn't run.
 */
export async function inspectQemu(
  binary: string,
  signal?: AbortSignal,
): Promise<QemuFacts> {
  const file = await stat(binary).catch((cause: unknown) => {
    throw failed("host.toolMissing", `There is no QEMU at ${binary}.`, {
      remedy: "Run the doctor; it says how QEMU is installed on this system.",
      actions: ["doctor", "installTools"],
      cause,
    });
  });
  const key = `${binary}:${String(file.mtimeMs)}:${String(file.size)}`;
  const asked = memo.get(key) ?? ask(binary);
  memo.set(key, asked);
  // A failure is not remembered: the next call asks again.
  asked.catch(() => memo.delete(key));
  // Shared by all callers, so one caller's abort must not end it for the others.
  return withDeadline(
    "Asking QEMU what it can do",
    2 * questionTimeoutMs,
    () => asked,
    signal,
  );
}

async function ask(binary: string): Promise<QemuFacts> {
  const script = [
    "qmp_capabilities",
    "query-command-line-options",
    "query-machines",
    "quit",
  ]
    .map((command) => JSON.stringify({ execute: command, id: command }))
    .join("\n");
  try {
    const [monitor, netdevs] = await Promise.all([
      execa(
        binary,
        [
          ...["-machine", "none", "-nodefaults", "-no-user-config"],
          ...["-display", "none", "-S", "-qmp", "stdio"],
        ],
        { input: script, timeout: questionTimeoutMs },
      ),
      // Emulators of ARM have no machine of their own accord, and answer nothing without one (F64).
      execa(binary, ["-machine", "none", "-netdev", "help"], {
        stdin: "ignore",
        timeout: questionTimeoutMs,
      }),
    ]);
    return readFacts(monitor.stdout, netdevs.stdout);
  } catch (error) {
    const told =
      error instanceof ExecaError ? String(error.stderr) : String(error);
    throw failed(
      "host.toolFailed",
      `QEMU at ${binary} does not run: ${told.trim() || "no message"}.`,
      {
        remedy: "Install QEMU 7.2 or newer anew, then run the doctor.",
        actions: ["doctor", "installTools"],
        cause: error,
      },
    );
  }
}

const optionsSchema = z.array(
  z.object({
    option: z.string(),
    parameters: z.array(z.object({ name: z.string() })),
  }),
);

const machinesSchema = z.array(z.object({ name: z.string() }));

/** From the monitor's lines and from the text of `-netdev help`. Pure; throws on anything unexpected. */
export function readFacts(monitor: string, netdevs: string): QemuFacts {
  const messages = monitor.trim().split(/\r?\n/).map(decodeMessage);
  const greeting = messages.find(({ kind }) => kind === "greeting");
  const answerTo = (command: string): unknown => {
    const answer = messages.find(
      (message) => message.kind === "return" && message.id === command,
    );
    if (answer?.kind === "return") return answer.value;
    throw new Error("it does not answer on its monitor");
  };
  if (greeting?.kind !== "greeting")
    throw new Error("it does not answer on its monitor");
  const options = optionsSchema.parse(answerTo("query-command-line-options"));
  return {
    version: greeting.version,
    // Without seccomp the option is listed all the same, but has no parameters.
    sandbox: options.some(
      ({ option, parameters }) => option === "sandbox" && parameters.length > 0,
    ),
    machineTypes: machinesSchema
      .parse(answerTo("query-machines"))
      .map(({ name }) => name),
    userNetwork: netdevs.split(/\r?\n/).includes("user"),
  };
}
