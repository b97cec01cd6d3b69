import { access, open } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog } from "../../../src/base/log.ts";
import {
  chooseNetwork,
  type NetworkChoice,
} from "../../../src/helper/networks/backend.ts";
import {
  type ConnectWish,
  connectNetwork,
} from "../../../src/helper/networks/connect.ts";
import {
  endStrayPassts,
  findPasst,
} from "../../../src/helper/networks/passtProcess.ts";
import { tryPasst } from "../../../src/helper/networks/passtTrial.ts";
import { freePorts } from "../../../src/helper/networks/ports.ts";
import type { VmNetwork } from "../../../src/helper/qemu/commandLine.ts";
import { restoreState } from "../../../src/helper/qemu/restoreState.ts";
import {
  endProcess,
  firstInherited,
  isSameProcess,
  type ProcessIdentity,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { findProgram } from "../../../src/helper/processes/programs.ts";
import { saveDevices } from "../../../src/helper/snapshots/saveDevices.ts";
import { userNetwork } from "../../fakes/qemuSpec.ts";
import { owned, scratchFolder, waitingMachine } from "../qemu/workbench.ts";

const passt = await findProgram("passt");
const log = createLog(() => undefined);
const choice: NetworkChoice = await chooseNetwork({
  acceptFaulty: true,
  passt,
  cachePath: join(await scratchFolder(), "network.json"),
  log,
});
const unfit =
  choice.backend === "passt" ? undefined : `no passt to test: ${choice.reason}`;

async function wish(): Promise<ConnectWish & { hostPort: number }> {
  const folder = await scratchFolder();
  const [hostPort = 0] = await freePorts(1);
  return {
    guestAddress: "10.0.2.32",
    firstLease: "10.0.2.32",
    forwards: [{ hostPort, guestPort: 22 }],
    socketPath: join(folder, "attic.net"),
    pidFile: join(folder, "attic.net.pid"),
    logPath: join(folder, "network.log"),
    cwd: folder,
    hostPort,
  };
}

/** QEMU without a guest, and the passt that it is connected to. */
async function pair() {
  const files = await wish();
  const connection = await connectNetwork(choice, files, log);
  const process = owned(connection.process!);
  const machine = await waitingMachine({ network: connection.network });
  return { files, process, machine };
}

interface SavedState {
  readonly memory: string;
  readonly devices: string;
}

/** The devices and the memory of a machine before its first instruction. */
async function savedState(network: VmNetwork): Promise<SavedState> {
  const folder = await scratchFolder();
  const saved = {
    memory: join(folder, "memory"),
    devices: join(folder, "devices"),
  };
  const machine = await waitingMachine({
    network,
    memoryFile: { path: saved.memory, shared: true },
  });
  await saveDevices(
    machine.qmp,
    { file: saved.devices, socket: join(folder, "save") },
    new AbortController().signal,
  );
  return saved;
}

/** Loads it with another network; answers QEMU's run state, which is that of the machine that was saved. */
async function restored(
  { memory, devices }: SavedState,
  network: VmNetwork,
): Promise<unknown> {
  const state = await open(devices);
  try {
    const { qmp } = await waitingMachine(
      {
        network,
        memoryFile: { path: memory, shared: false },
        incoming: true,
        stopped: false,
      },
      [state.fd],
    );
    await restoreState(qmp, firstInherited, { ignoreShared: true });
    const { status } = (await qmp.execute("query-status")) as {
      status: string;
    };
    return status;
  } finally {
    await state.close();
  }
}

const gone = async (identity: ProcessIdentity): Promise<boolean> =>
  waitForExit(identity, 3_000);

describe.skipIf(unfit !== undefined)(
  `passt as a machine's network${unfit === undefined ? "" : ` (no passt: ${unfit})`}`,
  () => {
    test("the way that was chosen answers, carries a forwarded port and lets no packet to the host's loopback", async () => {
      if (choice.backend !== "passt") return;
      const trial = await tryPasst(choice.programs, choice.mode);
      expect(trial).toMatchObject({ works: true, closed: true });
    });

    test("its trial is remembered, and made again when asked", async () => {
      const tried: string[] = [];
      const request = {
        passt,
        cachePath: join(await scratchFolder(), "network.json"),
        log: createLog((line) => tried.push(line)),
      };
      const first = await chooseNetwork({
        ...request,
        acceptFaulty: true,
        retry: true,
      });
      const trials = tried.length;
      expect(trials).toBeGreaterThan(0);
      expect(await chooseNetwork({ ...request, acceptFaulty: true })).toEqual(
        first,
      );
      expect(tried).toHaveLength(trials);
      await chooseNetwork({ ...request, acceptFaulty: true, retry: true });
      expect(tried.length).toBeGreaterThan(trials);
    });

    test("it goes with its QEMU, however that ends (B15)", async () => {
      const { files, process, machine } = await pair();
      expect(await isSameProcess(process)).toBe(true);
      await endProcess(machine, "SIGKILL");
      expect(await gone(process)).toBe(true);
      expect(await findPasst(files.socketPath)).toEqual([]);
    });

    test("for a QEMU that never came it is ended, also inside its namespace", async () => {
      const files = await wish();
      const connection = await connectNetwork(choice, files, log);
      expect(await findPasst(files.socketPath)).not.toEqual([]);
      await connection.end();
      expect(await findPasst(files.socketPath)).toEqual([]);
    });

    test("a state that was saved with it goes on with the user network too, but not the other way round", async () => {
      const onPasst = await wish();
      const passtNetwork = (await connectNetwork(choice, onPasst, log)).network;
      const state = await savedState(passtNetwork);
      expect(await restored(state, userNetwork([]))).toBe("prelaunch");
      const other = await savedState(userNetwork([]));
      const again = await wish();
      const { network } = await connectNetwork(choice, again, log);
      await expect(restored(other, network)).rejects.toMatchObject({
        failure: { code: "machines.captureFailed" },
      });
    });

    test("QEMU tells when it dies, and goes on", async () => {
      const { files, machine } = await pair();
      const told = new Promise((resolve) =>
        machine.qmp.onEvent(({ event }) => {
          if (event === "NETDEV_STREAM_DISCONNECTED") resolve(event);
        }),
      );
      for (const each of await findPasst(files.socketPath))
        await endProcess(each, "SIGKILL");
      expect(await told).toBe("NETDEV_STREAM_DISCONNECTED");
      expect(await machine.qmp.execute("query-status")).toMatchObject({
        status: "prelaunch",
      });
    });

    test("a port that is taken is told by its number, and nothing stays behind", async () => {
      const files = await wish();
      const server = createServer().listen(files.hostPort, "127.0.0.1");
      await once(server, "listening");
      try {
        await expect(connectNetwork(choice, files, log)).rejects.toMatchObject({
          failure: {
            code: "machines.portTaken",
            message: expect.stringContaining(String(files.hostPort)) as string,
          },
        });
      } finally {
        server.close();
      }
      expect(await findPasst(files.socketPath)).toEqual([]);
      await expect(access(files.socketPath)).rejects.toThrow("ENOENT");
    });

    test("one that waits for a QEMU that never came is swept; a living machine's is not", async () => {
      const stray = await wish();
      await connectNetwork(choice, stray, log);
      const { files, process } = await pair();
      for (const { cwd } of [stray, files])
        await endStrayPassts(cwd, [files.socketPath]);
      expect(await findPasst(stray.socketPath)).toEqual([]);
      expect(await isSameProcess(process)).toBe(true);
    });
  },
);

test("without passt, the user network serves and says why", async () => {
  const network = await chooseNetwork({
    acceptFaulty: true,
    passt: undefined,
    cachePath: join(await scratchFolder(), "network.json"),
    log,
  });
  expect(network.backend).toBe("user");
  expect(network.reason).toMatch(/passt/);
});
