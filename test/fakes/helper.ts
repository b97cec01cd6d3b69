import { mkdir } from "node:fs/promises";
import type { Server } from "node:net";
import { dirname } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import {
  type Handlers,
  type MethodName,
  methods,
  type NoticeName,
  type NoticeParams,
  type RequestContext,
} from "../../src/protocol/contract.ts";
import { refused } from "../../src/protocol/failure.ts";
import { protocolVersion } from "../../src/protocol/helper.ts";
import type { Image } from "../../src/protocol/images.ts";
import type { Machine } from "../../src/protocol/machines.ts";
import type { Template } from "../../src/protocol/templates.ts";
import { helperSocketOf } from "../../src/rpc/address.ts";
import { type Peer, serve } from "../../src/rpc/serve.ts";
import { listen } from "../../src/rpc/transport.ts";

/**
 * A helper that only pretends: it listens where a client looks for the helper of a data folder and speaks the real
 * protocol, so that a client runs its real handshake, and shows whatever records a test gives it.
 */
export interface FakeHelper {
  /** Requests in the order in which they came. */
  readonly requests: { method: MethodName; params: unknown }[];
  /** Changes or adds a record, and tells every client. */
  putMachine(machine: Machine): void;
  putImage(image: Image): void;
  putTemplate(template: Template): void;
  removeMachine(id: string): void;
  removeTemplate(id: string): void;
  notify<N extends NoticeName>(name: N, params: NoticeParams<N>): void;
  /** Answers a method from now on; methods without an answer are refused. */
  answer<M extends MethodName>(method: M, handler: Handlers[M]): void;
  readonly close: () => Promise<void>;
}

type Answer = (params: unknown, context: RequestContext) => unknown;

export async function startFakeHelper(
  home: string,
  version: string,
): Promise<FakeHelper> {
  const machines = new Map<string, Machine>();
  const images = new Map<string, Image>();
  const templates = new Map<string, Template>();
  const peers = new Set<Peer>();
  const requests: FakeHelper["requests"] = [];
  const answers = new Map<MethodName, Answer>();
  const socketPath = helperSocketOf(home);

  const status = {
    version,
    protocol: protocolVersion,
    pid: process.pid,
    home,
    socket: socketPath,
    startedAt: new Date().toISOString(),
    clients: 1,
    busy: false,
    machinesRunning: 0,
    memoryBytes: 0,
  };
  const answer: FakeHelper["answer"] = (method, handler) =>
    void answers.set(method, handler as Answer);
  answer("helper.hello", () => Promise.resolve({ status }));
  answer("helper.status", () => Promise.resolve({ status }));
  answer("machines.list", () =>
    Promise.resolve({ machines: [...machines.values()] }),
  );
  answer("images.list", () =>
    Promise.resolve({ images: [...images.values()] }),
  );
  answer("templates.list", () =>
    Promise.resolve({ templates: [...templates.values()] }),
  );
  answer("machines.log", ({ machine }) =>
    Promise.resolve({ id: machine, text: "", nextOffset: 0, complete: true }),
  );
  answer("ssh.useLauncher", () => Promise.resolve({ changed: false }));
  answer("host.doctor", () =>
    Promise.resolve({ report: { healthy: true, checks: [] } }),
  );

  const handle =
    (method: MethodName) =>
    (params: unknown, context: RequestContext): unknown => {
      requests.push({ method, params });
      const handler = answers.get(method);
      if (handler === undefined)
        throw refused("request.invalid", `This test has no ${method}.`);
      return handler(params, context);
    };
  const handlers = Object.fromEntries(
    (Object.keys(methods) as MethodName[]).map((name) => [name, handle(name)]),
  ) as unknown as Handlers;

  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  const server: Server = await listen(socketPath, (socket) => {
    const peer = serve(socket, handlers, silentLog, {
      answered: () => undefined,
      closed: () => void peers.delete(peer),
    });
    peers.add(peer);
  });
  const notify: FakeHelper["notify"] = (name, params) => {
    for (const peer of peers) peer.notify(name, params);
  };

  return {
    requests,
    notify,
    answer,
    putMachine(machine) {
      machines.set(machine.id, machine);
      notify("machines.changed", { machine });
    },
    putImage(image) {
      images.set(image.name, image);
      notify("images.changed", { image });
    },
    putTemplate(template) {
      templates.set(template.id, template);
      notify("templates.changed", { template });
    },
    removeTemplate(id) {
      const template = templates.get(id);
      if (template === undefined) return;
      templates.delete(id);
      notify("templates.removed", { id, revision: template.revision + 1 });
    },
    removeMachine(id) {
      const machine = machines.get(id);
      if (machine === undefined) return;
      machines.delete(id);
      const { name, revision } = machine;
      notify("machines.removed", { id, name, revision: revision + 1 });
    },
    async close() {
      for (const peer of peers) peer.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
