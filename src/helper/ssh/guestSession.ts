import type { GuestAccess } from "./guestAccess.ts";
import { connectSsh, type SshSession } from "./session.ts";
import type { SshTarget } from "./target.ts";

/** Opens a session to a machine's guest, which is started when needed, and closes it after `work`. */
export const withSession = async <T>(
  { target }: Pick<GuestAccess, "target">,
  machine: string,
  work: (session: SshSession) => Promise<T>,
  signal: AbortSignal,
): Promise<T> => withSessionTo(await target(machine, signal), work, signal);

/** The same to where it is known that a guest answers. */
export async function withSessionTo<T>(
  target: SshTarget,
  work: (session: SshSession) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const session = await connectSsh(target, {}, signal);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}
