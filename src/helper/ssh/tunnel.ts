/*
 * Carries TCP connections of this computer to ports that a guest sees, over one SSH connection. That is opened with the first
 * of them and closed a while after the last, so an unused tunnel costs nothing, and one whose guest was suspended or
 * restarted works again at the next try. `machines/running/publishedPorts.ts` keeps one for each machine that needs it.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connectSsh, type GuestAddress, type SshSession } from "./session.ts";
import type { SshTarget } from "./target.ts";

/** How long an unused connection stays for the next one. */
const idleMs = 60_000;

export class Tunnel {
  readonly #target: () => Promise<SshTarget | undefined>;
  readonly #idleMs: number;
  #session: Promise<SshSession> | undefined;
  readonly #sockets = new Set<Socket>();
  #closing: NodeJS.Timeout | undefined;

  /** `target` answers with undefined where the guest can't be reached now; it isn't started for a connection. */
  constructor(
    target: () => Promise<SshTarget | undefined>,
    options: { readonly idleMs?: number } = {},
  ) {
    this.#target = target;
    this.#idleMs = options.idleMs ?? idleMs;
  }

  /** Owns the socket, which was accepted paused, from now on; one that leads nowhere is reset. Never throws. */
  async carry(socket: Socket, to: GuestAddress): Promise<void> {
    this.#sockets.add(socket);
    clearTimeout(this.#closing);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0)
        this.#closing = setTimeout(() => this.close(), this.#idleMs).unref();
    });
    socket.on("error", () => socket.destroy());
    try {
      const session = await (this.#session ??= this.#open());
      join(socket, await session.dial(to));
    } catch {
      // A direct connection to a port without a listener is refused, too.
      socket.resetAndDestroy();
    }
  }

  close(): void {
    clearTimeout(this.#closing);
    for (const socket of this.#sockets) socket.destroy();
    void this.#session?.then(
      (session) => session.close(),
      () => undefined,
    );
    this.#session = undefined;
  }

  #open(): Promise<SshSession> {
    const opening = this.#connect();
    const forget = (): void => {
      if (this.#session === opening) this.#session = undefined;
    };
    opening.then(({ closed }) => closed).then(forget, forget);
    return opening;
  }

  async #connect(): Promise<SshSession> {
    const target = await this.#target();
    if (target === undefined) throw new Error("the guest isn't running");
    return connectSsh(target);
  }
}

/** Each side's end of writing is told to the other one; a side that is gone takes the other with it. */
function join(socket: Socket, channel: Duplex): void {
  if (socket.destroyed) {
    channel.destroy();
    return;
  }
  channel.on("error", () => socket.destroy());
  channel.once("close", () => socket.destroySoon());
  socket.once("close", () => channel.destroy());
  socket.pipe(channel);
  channel.pipe(socket);
}
