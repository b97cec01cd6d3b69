import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { failed } from "../../../protocol/failure.ts";

const passedOn = ["SIGTERM", "SIGHUP"] as const;

/**
 * Runs a program on our own terminal; answers its exit code, 128 + n after signal n, as shells do. `held` gives it an input
 * that is open and empty until it ends, whatever ours is.
 */
export async function inherit(
  program: string,
  args: readonly string[],
  input: "ours" | "held" = "ours",
): Promise<number> {
  const stdin = input === "ours" ? "inherit" : "pipe";
  const child = spawn(program, args, { stdio: [stdin, "inherit", "inherit"] });
  child.stdin?.on("error", () => undefined);
  // Ctrl-C belongs to the program in the foreground.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  // Of these it hears by us only.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of passedOn) process.on(signal, pass);
  try {
    const [code, signal] = (await once(child, "exit")) as [
      number | null,
      NodeJS.Signals | null,
    ];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    throw failed("host.toolMissing", `“${program}” could not be run.`, {
      remedy: `Install ${program === "ssh" ? "the OpenSSH client" : program} and try again.`,
      cause: error,
    });
  } finally {
    process.removeListener("SIGINT", ignore);
    for (const signal of passedOn) process.removeListener(signal, pass);
  }
}
