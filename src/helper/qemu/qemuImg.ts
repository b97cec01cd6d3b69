import { ExecaError, execa } from "execa";
import { given } from "../../base/given.ts";
import {
  type GuesthouseError,
  cancelled,
  failed,
} from "../../protocol/failure.ts";
import { withPrivateMask } from "../processes/privateMask.ts";
import { findProgram } from "../processes/programs.ts";

export interface QemuImgOptions {
  /** Sees standard output as it comes. */
  readonly onOutput?: (chunk: string) => void;
  /** Exit codes beside 0 that come with a usable output. */
  readonly alsoFine?: readonly number[];
}

/**
 * Runs qemu-img and answers with its output.
 * Throws `host.toolMissing`, `host.diskFull`, `images.broken`, `host.permission` or `host.toolFailed`. On abort it is
 * ended; what it wrote so far stays for the caller to remove.
 */
export async function qemuImg(
  args: readonly string[],
  signal?: AbortSignal,
  { onOutput, alsoFine = [] }: QemuImgOptions = {},
): Promise<string> {
  throwIfAborted(signal);
  const program = await findProgram("qemu-img");
  if (program === undefined) throw missing();
  const running = withPrivateMask(() =>
    execa(program, args, {
      stdin: "ignore",
      // Its messages are recognised by their English words.
      env: { LC_ALL: "C" },
      ...given({ cancelSignal: signal }),
    }),
  );
  if (onOutput !== undefined) {
    running.stdout.setEncoding("utf8");
    running.stdout.on("data", onOutput);
  }
  try {
    return (await running).stdout;
  } catch (error) {
    throwIfAborted(signal);
    if (!(error instanceof ExecaError)) throw error;
    if (alsoFine.includes(error.exitCode ?? -1)) return String(error.stdout);
    throw explainQemuImg(args, String(error.stderr), error);
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled();
}

const missing = (): GuesthouseError =>
  failed("host.toolMissing", "The program qemu-img was not found.", {
    remedy: "Run the doctor; it says how QEMU's tools are installed here.",
    actions: ["doctor", "installTools"],
  });

/** Says what qemu-img's complaint means. Pure. */
export function explainQemuImg(
  args: readonly string[],
  stderr: string,
  cause?: unknown,
): GuesthouseError {
  const told = stderr.trim().replace(/^qemu-img: /, "");
  if (/No space left on device|Disk quota exceeded/.test(told))
    return failed("host.diskFull", `The disk is full: ${told}`, {
      remedy:
        "Free some space or point GUESTHOUSE_HOME at a larger disk, then try again.",
      cause,
    });
  if (/Permission denied|Operation not permitted/.test(told))
    return failed("host.permission", `The system refused access: ${told}`, {
      remedy: "Check the owner and mode of the file, then try again.",
      cause,
    });
  if (/Failed to get (?:shared )?"[^"]+" lock/.test(told))
    return failed("images.busy", `The disk is in use: ${told}`, {
      remedy: "Stop the machine that uses it, then try again.",
      cause,
    });
  if (
    /Image is (?:corrupt|not in)|not in \S+ format|Could not read (?:L1|refcount|snapshot)|Invalid argument|Unsupported .*version|is truncated|No such file or directory|past end of file|Input\/output error|too (?:large|small|big)/i.test(
      told,
    )
  )
    return failed("images.broken", `The disk image can't be used: ${told}`, {
      remedy: "Get the image anew, or delete what stands on it.",
      cause,
    });
  return failed(
    "host.toolFailed",
    `qemu-img ${args[0] ?? ""} failed: ${told}`,
    {
      remedy: "See the helper's log, and run the doctor if it fails again.",
      actions: ["showLog", "doctor"],
      cause,
    },
  );
}
