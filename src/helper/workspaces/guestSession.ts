import type { Reach } from "../ssh/reach.ts";
import { connectSsh, type SshSession } from "../ssh/session.ts";

/** Opens a session to a machine's guest, which is started when needed, and closes it after `work`. */
export async function withSession<T>(
  { target }: Pick<Reach, "target">,
  machine: string,
  work: (session: SshSession) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const session = await connectSsh(await target(machine, signal), {}, signal);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
