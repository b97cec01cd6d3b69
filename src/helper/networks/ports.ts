import { type AddressInfo, type Server, createServer } from "node:net";

/**
 * Loopback TCP ports that nobody listened on a moment ago, all different, asked of the system (B21). Somebody else may
 * take one before it is used: whoever binds it must be ready to ask again.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  try {
    // All are held until the last one is known, so that no port comes twice.
    for (let index = 0; index < count; index++) servers.push(await listen());
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(
      servers.map(
        (server) => new Promise<void>((done) => server.close(() => done())),
      ),
    );
  }
}

const listen = (): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, () => resolve(server));
  });
