/**
 * One step of an operation, at which a test may end this process as SIGKILL does (`GUESTHOUSE_FAULT=<name>:kill`), or
 * another one that the step depends on (`<name>:kill:<pid>`). Without the variable it does nothing.
 */
export function faultPoint(name: string): void {
  if (armed?.name === name) process.kill(armed.pid, "SIGKILL");
}

const armed = parse(process.env["GUESTHOUSE_FAULT"]);

function parse(
  text: string | undefined,
): { name: string; pid: number } | undefined {
  const [, name, pid] = /^(.+?):kill(?::(\d+))?$/.exec(text ?? "") ?? [];
  if (name === undefined) return undefined;
  return { name, pid: pid === undefined ? process.pid : Number(pid) };
}
