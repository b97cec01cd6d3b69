import type { Session } from "../terminal/session.ts";

/** Prints whole lines of a log as they come. */
export function printLogOf({ client, progress }: Session, logId: string): void {
  let rest = "";
  client.onNotice("workspaces.logged", ({ id, text }) => {
    if (id !== logId) return;
    const end = `${rest}${text}`.lastIndexOf("\n") + 1;
    progress.print(`${rest}${text}`.slice(0, end));
    rest = `${rest}${text}`.slice(end);
  });
}
