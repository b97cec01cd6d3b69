import { failed, refused } from "../../../protocol/failure.ts";
import { guestAnswer } from "./guestAnswer.ts";
import * as shape from "./shapes.ts";
import type { AgentWire } from "./wire.ts";

/** An agent answers with one line for each chunk; longer lines than these are slow to parse, and some agents refuse them. */
const chunkBytes = 64 * 1024;
/** What an agent keeps of a program's output, too. */
const maxFileBytes = 16 * 1024 * 1024;

/** A file of the guest by `guest-file-read`. Refused beyond 16 MiB. */
export async function readGuestFile(
  wire: AgentWire,
  path: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  return withFile(
    wire,
    { path, mode: "r" },
    async (handle) => {
      const chunks: Buffer[] = [];
      for (let bytes = 0; ;) {
        const read = guestAnswer(
          "guest-file-read",
          shape.fileRead,
          await wire.call(
            "guest-file-read",
            { handle, count: chunkBytes },
            signal,
          ),
        );
        const chunk = Buffer.from(read["buf-b64"], "base64");
        bytes += chunk.length;
        if (bytes > maxFileBytes) throw tooLarge(path);
        chunks.push(chunk);
        if (read.eof || chunk.length === 0) return Buffer.concat(chunks);
      }
    },
    signal,
  );
}

/** Makes or replaces a file of the guest by `guest-file-write`. */
export async function writeGuestFile(
  wire: AgentWire,
  path: string,
  content: Buffer,
  signal?: AbortSignal,
): Promise<void> {
  await withFile(
    wire,
    { path, mode: "w" },
    async (handle) => {
      for (let at = 0; at < content.length;) {
        const chunk = content.subarray(at, at + chunkBytes);
        const { count } = guestAnswer(
          "guest-file-write",
          shape.fileWritten,
          await wire.call(
            "guest-file-write",
            { handle, "buf-b64": chunk.toString("base64") },
            signal,
          ),
        );
        if (count === 0) throw notWritten(path);
        at += count;
      }
      await wire.call("guest-file-flush", { handle }, signal);
    },
    signal,
  );
}

/** Handles of files outlive connections to the agent: one that isn't closed stays open until the agent ends. */
async function withFile<T>(
  wire: AgentWire,
  file: { readonly path: string; readonly mode: "r" | "w" },
  work: (handle: number) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const handle = guestAnswer(
    "guest-file-open",
    shape.fileHandle,
    await wire.call("guest-file-open", { ...file }, signal),
  );
  const close = (): Promise<unknown> =>
    wire.call("guest-file-close", { handle });
  let done: T;
  try {
    done = await work(handle);
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  // Only a file that could be closed was written.
  await close();
  return done;
}

const tooLarge = (path: string): Error =>
  refused(
    "machines.badRequest",
    `${path} in the guest is larger than the guest agent should carry.`,
    { remedy: "Copy it over SSH (guesthouse cp)." },
  );

const notWritten = (path: string): Error =>
  failed("machines.notReady", `The guest agent could not write ${path}.`, {
    remedy: "Check that the guest's disk has room.",
  });
