/*
 * The host's end of a machine's handoff port: it owns two open FIFOs, and a line of the guest at a time. A guest that writes
 * noise, or never reads, costs a bounded buffer and no wait. Made for each handoff; QEMU holds the other ends.
 */
import { closeSync, constants, open, readSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { execa } from "execa";
import { given } from "../../../base/given.ts";
import { hasErrorCode } from "../../../base/files.ts";
import { failed } from "../../../protocol/failure.ts";

/** Makes `<path>.in` and `<path>.out` anew, for QEMU to open: no byte of an earlier machine is left in them. */
export async function makeHandoffFifos(
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const fifos = [`${path}.in`, `${path}.out`];
  for (const fifo of fifos) await rm(fifo, { force: true });
  const made = await execa("mkfifo", ["-m", "600", ...fifos], {
    reject: false,
    ...given({ cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (made.failed)
    throw failed(
      "machines.handoffFailed",
      `The FIFOs of the handoff port can't be made at ${path}: ${made.shortMessage}.`,
      {
        remedy:
          "Check that the data folder is on a file system of this host that has FIFOs and room.",
        actions: ["retry", "doctor"],
      },
    );
}

/** A guest that sends this much without a newline makes noise. */
const maxLineBytes = 256 * 1024;

const openFile = promisify(open);

/** Opens the host's end; QEMU need not run yet. Throws `machines.handoffFailed` when there are no FIFOs. */
export async function openHandoffPort(
  fifoPath: string,
  onLine: (line: string) => void,
): Promise<HandoffPort> {
  // For both directions at both ends: such an open never waits, and nobody's leaving is an end of file.
  const flags = constants.O_RDWR | constants.O_NONBLOCK;
  const opened: number[] = [];
  try {
    const input = await openFile(`${fifoPath}.in`, flags);
    opened.push(input);
    const output = await openFile(`${fifoPath}.out`, flags);
    opened.push(output);
    return new HandoffPort(input, output, onLine);
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw failed(
      "machines.handoffFailed",
      `The machine's handoff port can't be opened: ${error instanceof Error ? error.message : String(error)}.`,
      {
        remedy: "Restart the machine; it boots and gets its identity that way.",
        actions: ["retry"],
        cause: error,
      },
    );
  }
}

/** The host's end of a machine's handoff port: lines either way. QEMU holds the FIFOs too, so closing ends nothing. */
export class HandoffPort {
  readonly #input: number;
  readonly #reader: Socket;
  #buffer = "";
  #closed = false;

  constructor(input: number, output: number, onLine: (line: string) => void) {
    drain(output);
    this.#input = input;
    this.#reader = new Socket({ fd: output, writable: false });
    // Whoever waits for an answer has a deadline; this alone must not keep a process alive.
    this.#reader.unref();
    this.#reader.on("error", () => this.close());
    this.#reader.setEncoding("utf8");
    this.#reader.on("data", (text: string) => {
      const lines = (this.#buffer + text).split("\n");
      this.#buffer = lines.pop() ?? "";
      if (this.#buffer.length > maxLineBytes) this.#buffer = "";
      lines.forEach(onLine);
    });
  }

  /** Queues one line, which waits until the guest reads. Throws `machines.handoffFailed` when there is no room. */
  write(line: Uint8Array): void {
    // The newline in front ends whatever half a line an earlier writer left.
    const bytes = Buffer.concat([Buffer.from("\n"), line]);
    try {
      if (writeSync(this.#input, bytes) === bytes.length) return;
    } catch (error) {
      if (!hasErrorCode(error, "EAGAIN")) throw error;
    }
    throw failed(
      "machines.handoffFailed",
      "The guest's handoff port is full of messages that nobody reads.",
      {
        remedy: "Restart the machine; it boots and gets its identity that way.",
        actions: ["showDiagnosis", "retry"],
      },
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.destroy();
    closeSync(this.#input);
  }
}

function drain(fd: number): void {
  const scratch = Buffer.alloc(64 * 1024);
  try {
    while (readSync(fd, scratch) > 0);
  } catch (error) {
    if (!hasErrorCode(error, "EAGAIN")) throw error;
  }
}
