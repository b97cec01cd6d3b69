/*
 * Ports that containers publish in machines, on this computer's loopback: QEMU's forwards are fixed when it starts, before
 * any container does, and don't reach what is published on a guest's own loopback. Keeps true: a living machine has a
 * listener here for each of its record's published ports and for nothing else, by the same number where that is free, and
 * its handles tell which. Connections go through the guest's SSH server. Made by the daemon, which stays as long as it is used.
 */
import { createServer, type AddressInfo, type Server } from "node:net";
import type { Log } from "../../../base/log.ts";
import { KeyedMutex } from "../../../base/mutex.ts";
import { given } from "../../../base/given.ts";
import type { Forward } from "../../../protocol/forwards.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import { Tunnel } from "../../ssh/tunnel.ts";
import type { PublishedPort } from "../../store/records.ts";
import type { Entry } from "../roster/entry.ts";
import type { MachineRegistry } from "../roster/registry.ts";

export interface PublishedPortsDeps {
  readonly registry: Pick<MachineRegistry, "entries" | "note">;
  readonly reach: Pick<GuestAccess, "running">;
  readonly log: Log;
}

interface Listener {
  readonly server: Server;
  readonly forward: Forward;
}

interface Held {
  readonly tunnel: Tunnel;
  /** By `keyOf`. */
  readonly listeners: Map<string, Listener>;
}

const keyOf = ({
  address,
  port,
  guestPort,
  host = "",
}: PublishedPort): string => [address, port, guestPort, host].join(" ");

export class PublishedPorts {
  readonly #deps: PublishedPortsDeps;
  readonly #held = new Map<string, Held>();
  readonly #locks = new KeyedMutex();
  #closed = false;

  constructor(deps: PublishedPortsDeps) {
    this.#deps = deps;
  }

  /** Machines with a port that is listened for. */
  get size(): number {
    return this.#held.size;
  }

  /** Something may be news of this machine, its end included. */
  changed(id: string): void {
    if (this.#isRight(id)) return;
    this.ensure(id).catch((error: unknown) =>
      this.#deps.log.warn("published ports aren't carried", {
        machine: id,
        error,
      }),
    );
  }

  /** Answers once each wanted port has its listener, and each other one has none. */
  ensure(id: string): Promise<void> {
    return this.#locks.run(id, () => this.#bringAbout(id));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#held.keys()].map((id) => this.ensure(id)));
  }

  #entryOf(id: string): Entry | undefined {
    return this.#deps.registry
      .entries()
      .find(({ record, live }) => record.id === id && live !== undefined);
  }

  #wantedOf(entry: Entry | undefined): readonly PublishedPort[] {
    return this.#closed ? [] : (entry?.record.ports?.published ?? []);
  }

  #isRight(id: string): boolean {
    const wanted = this.#wantedOf(this.#entryOf(id));
    const listeners = this.#held.get(id)?.listeners;
    return (
      wanted.length === (listeners?.size ?? 0) &&
      wanted.every((port) => listeners?.has(keyOf(port)))
    );
  }

  async #bringAbout(id: string): Promise<void> {
    const entry = this.#entryOf(id);
    const wanted = this.#wantedOf(entry);
    const held = this.#held.get(id) ?? {
      tunnel: new Tunnel(() => this.#deps.reach.running(id)),
      listeners: new Map<string, Listener>(),
    };
    const keys = new Set(wanted.map(keyOf));
    for (const [key, { server }] of held.listeners)
      if (!keys.has(key)) {
        held.listeners.delete(key);
        server.close();
      }
    if (keys.size === 0) {
      held.tunnel.close();
      this.#held.delete(id);
    } else this.#held.set(id, held);
    for (const port of wanted)
      if (!held.listeners.has(keyOf(port)))
        held.listeners.set(keyOf(port), await this.#listen(port, held, entry));
    await this.#tell(entry, held);
  }

  /** By the number that it had in this run of the machine, else by its own, else by any. */
  async #listen(
    port: PublishedPort,
    { tunnel }: Held,
    entry: Entry | undefined,
  ): Promise<Listener> {
    const before = entry?.live?.handles.carried?.find(
      ({ via, guestPort, host }) =>
        via === port.port && guestPort === port.guestPort && host === port.host,
    );
    const server = createServer(
      { pauseOnConnect: true, allowHalfOpen: true, noDelay: true },
      (socket) => void tunnel.carry(socket, port),
    );
    // An accept that fails is no reason to end.
    server.on("error", (error) =>
      this.#deps.log.info("a listener failed", { error }),
    );
    const hostPort = await listenAt(server, [
      ...(before === undefined ? [] : [before.hostPort]),
      port.port,
      0,
    ]);
    const { guestPort, host } = port;
    return {
      server,
      forward: {
        ...{ hostPort, guestPort, protocol: "tcp", via: port.port },
        ...given({ host }),
      },
    };
  }

  /** An ending helper leaves the numbers for the next one. */
  async #tell(entry: Entry | undefined, held: Held): Promise<void> {
    if (entry?.live === undefined || this.#closed) return;
    const carried = [...held.listeners.values()].map(({ forward }) => forward);
    const told = entry.live.handles.carried ?? [];
    if (JSON.stringify(told) !== JSON.stringify(carried))
      await this.#deps.registry.note(entry, entry.live, { carried });
  }
}

/** The first of these ports that can be had. */
async function listenAt(
  server: Server,
  ports: readonly number[],
): Promise<number> {
  for (const [index, port] of ports.entries())
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host: "127.0.0.1", port }, () => {
          server.off("error", reject);
          resolve();
        });
      });
      break;
    } catch (error) {
      if (index === ports.length - 1) throw error;
    }
  return (server.address() as AddressInfo).port;
}
