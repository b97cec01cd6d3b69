import { readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import type { GoldenImage } from "../../../src/helper/images/golden/goldenImage.ts";
import { adoptMachines } from "../../../src/helper/machines/adopt.ts";
import type { Entry, Live } from "../../../src/helper/machines/roster/entry.ts";
import type { Environment } from "../../../src/helper/machines/boot/environment.ts";
import { launchMachine } from "../../../src/helper/machines/boot/launch.ts";
import type { StartFrom } from "../../../src/helper/machines/boot/startFrom.ts";
import { MachineRegistry } from "../../../src/helper/machines/roster/registry.ts";
import {
  supervise,
  type SuperviseDeps,
} from "../../../src/helper/machines/running/supervise.ts";
import {
  chooseNetwork,
  type NetworkChoice,
} from "../../../src/helper/networks/backend.ts";
import { connectNetwork } from "../../../src/helper/networks/connect.ts";
import { findPasst } from "../../../src/helper/networks/passtProcess.ts";
import { freePorts } from "../../../src/helper/networks/ports.ts";
import {
  endProcess,
  isSameProcess,
  waitForExit,
} from "../../../src/helper/qemu/process.ts";
import { findProgram } from "../../../src/helper/processes/programs.ts";
import { saveState } from "./saveState.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import {
  type MachineRecord,
  readHandles,
  writeRecord,
} from "../../../src/helper/store/records.ts";
import { home } from "../snapshots/bareMachine.ts";
import { machineRecord } from "../snapshots/machineRecord.ts";
import { owned, qemuBinary, scratchFolder } from "../qemu/workbench.ts";

const choice: NetworkChoice = await chooseNetwork({
  acceptFaulty: true,
  passt: await findProgram("passt"),
  cachePath: join(await scratchFolder(), "network.json"),
  log: silentLog,
});
const unfit = choice.backend === "passt" ? undefined : choice.reason;
const log = silentLog;

let layout: Layout;
let files: MachineFiles;
let registry: MachineRegistry;

beforeEach(async () => {
  ({ layout, files } = await home());
  await writeFile(files.seed, Buffer.alloc(2048));
  await writeRecord(files, machineRecord);
  registry = newRegistry();
});

afterEach(async () => {
  for (const { live } of registry.entries()) live?.qmp?.close();
  await Promise.all(
    (await findPasst(`${layout.run}/`)).map((each) =>
      endProcess(each, "SIGKILL"),
    ),
  );
});

const newRegistry = (): MachineRegistry =>
  new MachineRegistry(layout, {
    changed: () => undefined,
    removed: () => undefined,
  });

/** QEMU's firmware looks for something to boot, in vain: all of a machine but the guest. */
async function launch(
  change: Partial<MachineRecord> = {},
  from: StartFrom = { kind: "cold" },
): Promise<Live> {
  const environment: Environment = {
    binary: await qemuBinary(),
    arch: "x86_64",
    qemu: {
      version: { major: 7, minor: 2, micro: 0 },
      sandbox: true,
      userNetwork: true,
      machineTypes: [],
    },
    accelerator: { kind: "tcg", reason: "", trials: [] },
    network: choice,
  };
  const image = {
    name: "empty",
    architecture: "amd64",
    directBoot: false,
  } as GoldenImage;
  const live = await launchMachine(
    { record: { ...machineRecord, ...change }, image, environment, from },
    { layout, log },
  );
  owned(live.handles);
  return live;
}

/** As a helper that finds what an earlier one left. */
async function adopt(): Promise<Entry> {
  registry = newRegistry();
  await adoptMachines({ layout, registry, log, onLiving: () => undefined });
  return registry.find(machineRecord.id);
}

const passtOf = (live: Live) => live.handles.network.process!;

async function soon(what: string, come: () => boolean): Promise<void> {
  const deadline = Date.now() + 3_000;
  while (!come()) {
    if (Date.now() > deadline) throw new Error(`${what} did not come about`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

describe.skipIf(unfit !== undefined)(
  `a machine's network${unfit === undefined ? "" : ` (no passt: ${unfit})`}`,
  () => {
    test("a machine starts on passt, which waits at its forwarded port and is in its handles", async () => {
      const live = await launch();
      expect(live.handles).toMatchObject({
        leases: 0,
        network: { backend: "passt", hostLoopbackReachable: false },
      });
      expect(await isSameProcess(passtOf(live))).toBe(true);
      const taken = createServer().listen(live.handles.sshPort, "127.0.0.1");
      const [error] = (await once(taken, "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("EADDRINUSE");
      live.qmp?.close();
    });

    test("one that may reach the host's loopback, and one that forwards ports which this passt can't serve, get the user network", async () => {
      const allowed = await launch({ hostLoopback: true });
      expect(allowed.handles).toMatchObject({
        leases: 1,
        network: { backend: "user", hostLoopbackReachable: true },
      });
      await endProcess(allowed.handles, "SIGKILL");
      await waitForExit(allowed.handles, 5_000);
      const forwarding = await launch({
        forwards: [{ hostPort: 0, guestPort: 80, protocol: "tcp" }],
      });
      const speaks = choice.backend === "passt" && choice.serversSpeakFirst;
      expect(forwarding.handles.network.backend).toBe(
        speaks ? "passt" : "user",
      );
    });

    test.each(["kept", "deleted", "corrupt"])(
      "handles %s: a new helper takes over QEMU and passt, and their ports (B15)",
      async (how) => {
        const live = await launch();
        live.qmp?.close();
        if (how === "deleted") await rm(files.handles);
        if (how === "corrupt") await writeFile(files.handles, "{ not json");
        const { live: adopted } = await adopt();
        expect(adopted?.handles).toMatchObject({
          pid: live.handles.pid,
          sshPort: live.handles.sshPort,
          leases: 0,
          network: { backend: "passt", hostLoopbackReachable: false },
        });
        expect(passtOf(adopted!)).toEqual(passtOf(live));
        expect(await readHandles(files)).toMatchObject({ kind: "read" });
      },
    );

    test("passt dies while no helper is there: the next one says that the network is gone", async () => {
      const live = await launch();
      live.qmp?.close();
      for (const each of await findPasst(files.network.socketPath))
        await endProcess(each, "SIGKILL");
      await waitForExit(passtOf(live), 3_000);
      expect((await adopt()).state).toMatchObject({
        kind: "unready",
        diagnosis: { cause: "networkGone" },
      });
    });

    test("QEMU dies while no helper is there: nothing of its network is left (B15)", async () => {
      const live = await launch();
      live.qmp?.close();
      await endProcess(live.handles, "SIGKILL");
      await waitForExit(live.handles, 5_000);
      expect((await adopt()).state).toMatchObject({ kind: "stopped" });
      expect(await waitForExit(passtOf(live), 3_000)).toBe(true);
      expect(await readdir(layout.run)).toEqual([]);
    });

    test("a helper was killed before QEMU came: the waiting passt is ended (B15)", async () => {
      const [hostPort = 0] = await freePorts(1);
      const waiting = await connectNetwork(
        choice,
        {
          ...files.network,
          cwd: files.folder,
          guestAddress: "10.0.2.32",
          firstLease: "10.0.2.32",
          forwards: [{ hostPort, guestPort: 22 }],
        },
        log,
      );
      await adopt();
      expect(await isSameProcess(waiting.process!)).toBe(false);
      expect(await findPasst(files.network.socketPath)).toEqual([]);
    });

    test("passt dies under a running machine: its state says so at once; its end leaves nothing", async () => {
      const live = await launch();
      const entry = registry.add(machineRecord, {
        kind: "running",
        sinceMs: 0,
      });
      registry.attach(entry, live, entry.state);
      const deps: SuperviseDeps = {
        layout,
        registry,
        log,
        leaving: () => false,
        onReset: () => undefined,
      };
      supervise(entry, live, deps);
      for (const each of await findPasst(files.network.socketPath))
        await endProcess(each, "SIGKILL");
      await soon("the news", () => entry.state.kind === "unready");
      expect(entry.state).toMatchObject({
        diagnosis: { cause: "networkGone" },
      });
      await endProcess(live.handles, "SIGKILL");
      await soon("the end", () => entry.state.kind === "stopped");
      expect(await readdir(layout.run)).toEqual([]);
    });

    test("a state that was saved on passt goes on there, or on the user network with its address; one of the user network stays there", async () => {
      const onPasst = await saveState(await launch(), files, layout);
      const from = (leases: number, way: "fork" | "restored"): StartFrom => ({
        kind: "state",
        path: onPasst,
        way,
        leases,
      });
      const again = await launch({}, from(0, "restored"));
      expect(again.handles).toMatchObject({
        way: "restored",
        leases: 0,
        network: { backend: "passt" },
      });
      await endProcess(again.handles, "SIGKILL");
      await waitForExit(again.handles, 5_000);
      const other = await launch({ hostLoopback: true }, from(0, "fork"));
      expect(other.handles).toMatchObject({
        leases: 1,
        network: { backend: "user" },
      });
      const onUser = await saveState(other, files, layout);
      const stays = await launch(
        {},
        {
          kind: "state",
          path: onUser,
          way: "fork",
          leases: 1,
        },
      );
      expect(stays.handles).toMatchObject({
        leases: 2,
        network: {
          backend: "user",
          reason: expect.stringMatching(/saved state/) as string,
        },
      });
    });
  },
);
