import { spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import type {
  Entry,
  Live,
} from "../../../../src/helper/machines/roster/entry.ts";
import type { MachineState } from "../../../../src/protocol/machines.ts";
import { processIdentity } from "../../../../src/helper/qemu/process.ts";
import { connectQmp } from "../../../../src/helper/qemu/qmp.ts";
import type { MachineHandles } from "../../../../src/helper/store/records.ts";
import {
  negotiate,
  type QmpPeer,
  startQmpPeer,
} from "../../../fakes/qmpPeer.ts";
import type { House } from "./house.ts";

/** A process that lives, and a monitor that is played: what a machine has of its QEMU. */
export interface FakeQemu {
  readonly live: Live;
  /** What QEMU says unasked. */
  readonly emit: (event: string, data?: Record<string, unknown>) => void;
  /** Breaks the monitor's connection; the process lives on. */
  readonly hangUp: () => void;
  /** How often somebody has connected to the monitor. */
  readonly connections: () => number;
  /** Ends the process, and with it the monitor. */
  readonly end: () => Promise<void>;
}

/** Gives a machine a QEMU; its monitor answers what `query-status` and the like ask with nothing. */
export async function fakeQemu(
  { layout, registry }: House,
  entry: Entry,
  state: MachineState,
  change: Partial<MachineHandles> = {},
): Promise<FakeQemu> {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  const exited = new Promise<void>((done) => child.once("exit", () => done()));
  const peers: QmpPeer[] = [];
  const files = layout.machine(entry.record.id);
  const server = await startQmpPeer(async (peer) => {
    await negotiate(peer);
    peers.push(peer);
    for (;;) await peer.answer({});
  }, files.qmpSocket);
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await server.close();
  };
  onTestFinished(async () => {
    live.watch.abort();
    live.qmp?.close();
    if (child.exitCode === null && child.signalCode === null) await end();
    else await server.close().catch(() => undefined);
  });
  const identity = (await processIdentity(child.pid!))!;
  const live: Live = {
    handles: {
      ...identity,
      ...{ startedAtMs: Date.now(), way: "cold", logOffset: 0, leases: 1 },
      ...{ accelerator: "tcg", acceleratorReason: "", forwards: [] },
      sshPort: 1,
      network: { backend: "user", hostLoopbackReachable: true, reason: "" },
      boot: [{ stage: "firmware", atMs: 0 }],
      ...change,
    },
    qmp: await connectQmp(files.qmpSocket, { timeoutMs: 5_000 }),
    stopReason: undefined,
    watch: new AbortController(),
    shutdownCause: undefined,
  };
  registry.attach(entry, live, state);
  return {
    live,
    emit: (event, data = {}) =>
      peers.at(-1)?.sendJson({
        ...{ event, data },
        timestamp: { seconds: 1, microseconds: 0 },
      }),
    hangUp: () => peers.at(-1)?.end(),
    connections: () => peers.length,
    end,
  };
}
