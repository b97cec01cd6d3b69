/*
 * The helper as a server: it owns the socket that windows and command lines connect to, and the list of who is connected.
 * It ends by itself when nobody is connected and nothing is under way, and lets everything go in one order: no new
 * clients, then the capabilities, then the clients, then its files. `run.ts` calls it, with the helper's lock held.
 */
import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { readVariable } from "../../base/environmentVariables.ts";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { writeJson } from "../../base/jsonFile.ts";
import type { Log } from "../../base/log.ts";
import type {
  HandlersOf,
  NoticeName,
  NoticeParams,
} from "../../protocol/contract.ts";
import { type HelperStatus, protocolVersion } from "../../protocol/helper.ts";
import { type Peer, serve } from "../../rpc/serve.ts";
import { listen } from "../../rpc/transport.ts";
import { followLogs } from "../machines/roster/bootLog.ts";
import type { Layout } from "../store/layout.ts";
import { createCapabilities } from "./capabilities.ts";
import { tidyMemory } from "./tidyMemory.ts";

export interface ServerOptions {
  readonly layout: Layout;
  readonly version: string;
  readonly log: Log;
}

type TellAll = <N extends NoticeName>(name: N, params: NoticeParams<N>) => void;

/** Serves every client of this user until idle or told to stop. */
export async function startServer(
  options: ServerOptions,
): Promise<{ ended: Promise<void> }> {
  const { layout, version, log } = options;
  const peers = new Set<Peer>();
  const ended = promiseWithResolvers<void>();
  const startedAt = new Date().toISOString();
  const tellAll: TellAll = (name, params) => {
    for (const peer of peers) peer.notify(name, params);
  };

  const capabilities = await createCapabilities({ layout, log, tellAll });
  const status = (): HelperStatus => ({
    version,
    protocol: protocolVersion,
    pid: process.pid,
    home: layout.home,
    socket: layout.helperSocket,
    startedAt,
    clients: peers.size,
    busy: capabilities.busy(),
    machinesRunning: capabilities.machinesRunning(),
    memoryBytes: process.memoryUsage.rss(),
  });

  const handlers = {
    ...capabilities.handlers,
    ...helperHandlers(status, (reason) => {
      log.info("asked to stop", { reason });
      // The answer goes out first.
      setTimeout(() => void close(), 20);
    }),
  };

  const { pid, socket } = status();
  await writeJson(layout.helperState, { pid, version, socket, startedAt });

  const stopFollowing = followLogs(
    () => (peers.size === 0 ? [] : capabilities.livingLogs()),
    (id, offset, text) => tellAll("machines.logged", { id, offset, text }),
    log,
  );

  // From here on clients come, even while what follows awaits: nothing that they touch may stand below.
  let closing = false;
  const memory = tidyMemory();
  const isUsed = (): boolean => peers.size > 0;
  const isBusy = (): boolean => capabilities.busy();
  const idleness = watchIdleness(isUsed, isBusy, () => void close());
  const server = await listen(layout.helperSocket, (connected: Socket) => {
    const peer = serve(connected, handlers, log, {
      answered: memory.worked,
      closed: () => {
        peers.delete(peer);
        idleness.look();
      },
    });
    peers.add(peer);
    idleness.look();
  });
  idleness.look();

  async function close(): Promise<void> {
    if (closing) return;
    closing = true;
    idleness.stop();
    stopFollowing();
    server.close();
    await capabilities
      .close()
      .catch((error: unknown) => log.error("closing failed", { error }));
    for (const peer of peers) peer.close();
    await removeTraces(layout);
    ended.resolve();
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => void close());

  return { ended: ended.promise };
}

async function removeTraces(layout: Layout): Promise<void> {
  await rm(layout.helperState, { force: true });
  if (process.platform !== "win32")
    await rm(layout.helperSocket, { force: true });
}

const helperHandlers = (
  status: () => HelperStatus,
  stop: (reason: string) => void,
): HandlersOf<"helper.hello" | "helper.status" | "helper.stop"> => ({
  "helper.hello": () => Promise.resolve({ status: status() }),
  "helper.status": () => Promise.resolve({ status: status() }),
  "helper.stop": ({ reason }) => {
    stop(reason);
    return Promise.resolve({ pid: process.pid });
  },
});

/** Goes when nobody has been connected and nothing has been under way for this long. */
const idleMs = Number(readVariable("GUESTHOUSE_IDLE_SECONDS") ?? 120) * 1000;

/** `look` is for every time that somebody comes or goes. */
function watchIdleness(
  isUsed: () => boolean,
  isBusy: () => boolean,
  leave: () => void,
): { look(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => clearTimeout(timer);
  const look = (): void => {
    stop();
    if (isUsed()) return;
    timer = setTimeout(() => {
      if (isBusy()) look();
      else leave();
    }, idleMs);
  };
  return { look, stop };
}
