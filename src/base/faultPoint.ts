import { readVariable } from "./environmentVariables.ts";
import { hasErrorCode } from "./files.ts";

/**
 * One step of an operation, at which a test may end this process as SIGKILL does (`GUESTHOUSE_FAULT=<name>:kill`),
 * the QEMU that the step depends on (`<name>:kill:qemu`, where the step has named it), or any other process
 * (`<name>:kill:<pid>`). Without the variable it does nothing.
 */
export function faultPoint(name: string, qemuPid?: number): void {
  if (armed?.name !== name) return;
  const pid = armed.victim === "qemu" ? qemuPid : armed.victim;
  if (pid === undefined) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It may have ended by itself by now, which is what was wanted.
    if (!hasErrorCode(error, "ESRCH")) throw error;
  }
}

const armed = parse(readVariable("GUESTHOUSE_FAULT"));

function parse(
  text: string | undefined,
): { name: string; victim: number | "qemu" } | undefined {
  const [, name, victim] =
    /^(.+?):kill(?::(\d+|qemu))?$/.exec(text ?? "") ?? [];
  if (name === undefined) return undefined;
  if (victim === "qemu") return { name, victim };
  return { name, victim: victim === undefined ? process.pid : Number(victim) };
}
