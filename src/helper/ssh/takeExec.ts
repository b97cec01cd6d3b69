import type { ExecOptions, ExecResult, SshCommand } from "./command.ts";

/** Gives a running command its input, and takes what it prints as the options say. */
export async function takeExec(
  command: SshCommand,
  { stdin, onStdout }: ExecOptions,
): Promise<ExecResult> {
  const stdout = collector();
  command.stdout.on("data", onStdout ?? stdout.take);
  // The command may end without reading its input; its exit code tells all there is to know.
  command.stdin.on("error", () => undefined);
  command.stdin.end(stdin);
  const result = await command.ended;
  return { ...result, stdout: stdout.text() };
}

const maxCollectedBytes = 1024 * 1024;

/** Keeps what a stream says, as far as that is worth keeping. */
export function collector(): {
  take: (chunk: Buffer) => void;
  text: () => string;
} {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    take: (chunk) => {
      if (bytes >= maxCollectedBytes) return;
      chunks.push(chunk);
      bytes += chunk.length;
    },
    text: () =>
      Buffer.concat(chunks).subarray(0, maxCollectedBytes).toString("utf8"),
  };
}
