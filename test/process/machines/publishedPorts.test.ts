/* Published ports over OpenSSH's own server: what is carried, where, and when no more. */
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { mkdir } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PublishedPorts } from "../../../src/helper/machines/running/publishedPorts.ts";
import type { Live } from "../../../src/helper/machines/roster/entry.ts";
import type { PublishedPort } from "../../../src/helper/store/records.ts";
import { silentLog } from "../../../src/base/log.ts";
import { machineRecord } from "../../fakes/machineRecord.ts";
import { house } from "../../unit/helper/machines/house.ts";
import { missing, startSshd, type RealSshd } from "../ssh/realSshd.ts";

/** Answers with what it was sent, once that has ended. */
async function answering(host = "127.0.0.1"): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let sent = "";
    socket.on("data", (chunk) => (sent += chunk.toString()));
    socket.on("end", () => socket.end(`got ${sent}`));
  });
  server.listen({ host, port: 0 });
  await once(server, "listening");
  return server;
}
const portOf = (server: Server): number =>
  (server.address() as AddressInfo).port;

async function ask(port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  socket.end("hello");
  return text(socket);
}

describe.skipIf(missing)("published ports", () => {
  let sshd: RealSshd;
  let server: Server;
  beforeAll(async () => {
    sshd = await startSshd();
    server = await answering();
  });
  afterAll(async () => {
    server.close();
    await sshd.close();
  });

  test("are carried while the machine lives, by a number of this computer that its handles tell; others go", async () => {
    const { registry, layout } = await house();
    const { id } = machineRecord;
    await mkdir(layout.machine(id).folder);
    const entry = registry.add(machineRecord, {
      ...{ kind: "stopped", reason: "requested" },
    });
    const deps = {
      ...{ registry, log: silentLog },
      reach: { running: () => Promise.resolve(sshd.target) },
    };
    const ports = new PublishedPorts(deps);
    // The number itself is taken: by the server, which is on this computer as well.
    const wanted: PublishedPort = {
      ...{ address: "127.0.0.1", port: portOf(server), guestPort: 80 },
      host: "web",
    };
    const dead: PublishedPort = {
      // Not where it is listened for here.
      ...{ address: "127.0.0.2", port: 61_234, guestPort: 1 },
    };
    const put = (published: PublishedPort[]): Promise<void> =>
      registry.rewrite(entry, {
        ports: {
          published,
          named: [{ guestPort: 80, host: "web", label: "Web" }],
        },
      });
    await put([wanted, dead]);
    await ports.ensure(id);
    expect(ports.size).toBe(0);

    const live: Live = {
      handles: {
        ...{ pid: 1, startTime: "never", startedAtMs: 1, way: "cold" },
        ...{ accelerator: "tcg", acceleratorReason: "", sshPort: 1 },
        ...{ forwards: [], leases: 1, logOffset: 0, boot: [] },
        network: { backend: "user", hostLoopbackReachable: true, reason: "" },
      },
      ...{ qmp: undefined, stopReason: undefined, shutdownCause: undefined },
      watch: new AbortController(),
    };
    registry.attach(entry, live, { kind: "running", sinceMs: 1 });
    await ports.ensure(id);
    const forwards = () => registry.view(entry).runtime!.forwards;
    const [web, other] = forwards();
    expect(web).toMatchObject({
      ...{ guestPort: 80, host: "web", via: portOf(server), label: "Web" },
    });
    expect(web!.hostPort).not.toBe(portOf(server));
    expect(await Promise.all([1, 2].map(() => ask(web!.hostPort)))).toEqual([
      ...["got hello", "got hello"],
    ]);
    await expect(ask(other!.hostPort)).rejects.toThrow();

    // A renewed helper takes up the same numbers.
    await ports.close();
    await expect(ask(web!.hostPort)).rejects.toThrow();
    const renewed = new PublishedPorts(deps);
    await renewed.ensure(id);
    expect(forwards()).toEqual([web, other]);
    expect(await ask(web!.hostPort)).toBe("got hello");

    await put([]);
    await renewed.ensure(id);
    expect(forwards()).toEqual([]);
    expect(renewed.size).toBe(0);
    await expect(ask(web!.hostPort)).rejects.toThrow();

    await put([wanted]);
    await renewed.ensure(id);
    expect(renewed.size).toBe(1);
    registry.detach(entry);
    renewed.changed(id);
    await renewed.ensure(id);
    expect(renewed.size).toBe(0);
  });
});
