import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { promiseWithResolvers } from "../../base/deadline.ts";
import { writeJson } from "../../base/jsonFile.ts";
import type { Log } from "../../base/log.ts";
import type { NoticeName, NoticeParams } from "../../protocol/contract.ts";
import { type HelperStatus, protocolVersion } from "../../protocol/helper.ts";
import { type Peer, serve } from "../../rpc/serve.ts";
import { listen } from "../../rpc/transport.ts";
import { followLogs } from "../machines/bootLog.ts";
import type { Layout } from "../store/layout.ts";
import { createCapabilities } from "./capabilities.ts";
import { tidyMemory } from "./tidyMemory.ts";

export interface ServerOptions {
  readonly layout: Layout;
  readonly version: string;
  readonly log: Log;
}

/** Goes when nobody has been connected and nothing has been under way for this long. */
const idleMs = Number(process.env["GUESTHOUSE_IDLE_SECONDS"] ?? 120) * 1000;

/** Serves every client of this user until idle or told to stop. */
export async function startServer({
  layout,
  version,
  log,
}: ServerOptions): Promise<{ ended: Promise<void> }> {
  const peers = new Set<Peer>();
  const ended = promiseWithResolvers<void>();
  const startedAt = new Date().toISOString();
  const tellAll = <N extends NoticeName>(
    name: N,
    params: NoticeParams<N>,
  ): void => {
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
    "helper.hello": () => Promise.resolve({ status: status() }),
    "helper.status": () => Promise.resolve({ status: status() }),
    "helper.stop": ({ reason }: { reason: string }) => {
      log.info("asked to stop", { reason });
      // The answer goes out first.
      setTimeout(() => void close(), 20);
      return Promise.resolve({ pid: process.pid });
    },
  };

  await writeJson(layout.helperState, {
    pid: process.pid,
    version,
    socket: layout.helperSocket,
    startedAt,
  });

  const stopFollowing = followLogs(
    () => (peers.size === 0 ? [] : capabilities.livingLogs()),
    (id, offset, text) => tellAll("machines.logged", { id, offset, text }),
    log,
  );

  // From here on clients come, even while what follows awaits: nothing that they touch may stand below.
  let idleTimer: NodeJS.Timeout | undefined;
  let closing = false;
  const memory = tidyMemory();
  const server = await listen(layout.helperSocket, (socket: Socket) => {
    const peer = serve(socket, handlers, log, {
      answered: memory.worked,
      closed: () => {
        peers.delete(peer);
        watchIdle();
      },
    });
    peers.add(peer);
    watchIdle();
  });

  function watchIdle(): void {
    clearTimeout(idleTimer);
    if (peers.size > 0) return;
    idleTimer = setTimeout(() => {
      if (capabilities.busy()) watchIdle();
      else void close();
    }, idleMs);
  }
  watchIdle();

  async function close(): Promise<void> {
    if (closing) return;
    closing = true;
    clearTimeout(idleTimer);
    stopFollowing();
    server.close();
    await capabilities
      .close()
      .catch((error: unknown) => log.error("closing failed", { error }));
    for (const peer of peers) peer.close();
    await rm(layout.helperState, { force: true });
    if (process.platform !== "win32")
      await rm(layout.helperSocket, { force: true });
    ended.resolve();
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => void close());

  return { ended: ended.promise };
}
