import { type AddressInfo, type Server, createServer } from "node:net";

/**
 * Loopback TCP ports that nobody listened on a moment ago, all different, asked of the system (B21). Somebody else may
 * take one before it is used: whoever binds it must be ready to ask again.
 */
export const freePorts = (count: number): Promise<number[]> =>
  freePortsLike(Array.from({ length: count }, () => 0));

/** The same, where each is the preferred one if that is free; 0 prefers none. */
export async function freePortsLike(
  preferred: readonly number[],
): Promise<number[]> {
  const servers: Server[] = [];
  try {
    // All are held until the last one is known, so that no port comes twice.
    for (const port of preferred)
      servers.push(
        await listen(port).catch((error: unknown) => {
          if (port === 0) throw error;
          return listen(0);
        }),
      );
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(
      servers.map(
        (server) => new Promise<void>((done) => server.close(() => done())),
      ),
    );
  }
}

const listen = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port }, () => resolve(server));
  });
