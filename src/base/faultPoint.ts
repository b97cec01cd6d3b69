/**
 * One step of an operation, in a process that tests kill there: `GUESTHOUSE_FAULT=<name>:kill` ends this process at
 * that step as SIGKILL does. Without the variable it does nothing.
 */
export function faultPoint(name: string): void {
  if (armed === `${name}:kill`) process.kill(process.pid, "SIGKILL");
}

const armed = process.env["GUESTHOUSE_FAULT"];
