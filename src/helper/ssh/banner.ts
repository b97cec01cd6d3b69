import { connect } from "node:net";
import { promiseWithResolvers } from "../../base/deadline.ts";

/** What we send first. Some port forwarders (passt of 2023) deliver no banner to a client that waits silently. */
export const ourIdentification = "SSH-2.0-guesthouse";

/** Servers may send other lines before the one that counts (RFC 4253, section 4.2). */
const maxPreambleBytes = 16 * 1024;

/**
 * Connects and waits for a server's identification line, e.g. `SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3`. An accepted
 * connection says nothing: user-mode networking accepts before the guest listens. Undefined when no banner came within
 * `timeoutMs`; throws only the signal's reason.
 */
export async function readBanner(
  host: string,
  port: number,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  signal?.throwIfAborted();
  const { promise, resolve } = promiseWithResolvers<string | undefined>();
  const socket = connect({ host, port });
  const giveUp = (): void => resolve(undefined);
  const timer = setTimeout(giveUp, timeoutMs);
  signal?.addEventListener("abort", giveUp, { once: true });
  let received = "";
  socket.setNoDelay(true);
  socket.on("connect", () => socket.write(`${ourIdentification}\r\n`));
  socket.on("error", giveUp);
  socket.on("close", giveUp);
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
    const banner = bannerIn(received);
    if (banner !== undefined) resolve(banner);
    else if (received.length > maxPreambleBytes) giveUp();
  });
  try {
    const banner = await promise;
    signal?.throwIfAborted();
    return banner;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

/** The identification line within what a server sent so far; undefined while it is not complete. */
export function bannerIn(received: string): string | undefined {
  const match = /(?:^|\n)(SSH-[^\r\n]*)\r?\n/.exec(received);
  return match?.[1];
}
