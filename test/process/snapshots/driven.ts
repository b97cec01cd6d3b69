import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { execa } from "execa";
import { expect } from "vitest";
import type { Failure } from "../../../src/protocol/failure.ts";
import type { MachineState } from "../../../src/protocol/machines.ts";
import type { LaunchedQemu } from "../../../src/helper/qemu/process.ts";
import { connectQmp, type Qmp } from "../../../src/helper/qemu/qmp.ts";
import { unusedLayers } from "../../../src/helper/snapshots/layers.ts";
import type { Layout, MachineFiles } from "../../../src/helper/store/layout.ts";
import {
  type MachineRecord,
  writeHandles,
  writeRecord,
} from "../../../src/helper/store/records.ts";
import { scratchFolder } from "../qemu/workbench.ts";
import {
  counts,
  home,
  machineId,
  type Options,
  start,
  status,
  writeDisk,
} from "./bareMachine.ts";
import { machineRecord } from "./machineRecord.ts";

export interface Answer {
  readonly result: { id: string };
  /** Instead of the result. */
  readonly failure?: Failure;
  readonly machines: {
    state: MachineState["kind"];
    record: MachineRecord;
  }[];
}

/** A machine without a guest's system, and helpers that take over its data folder, do one thing and end. */
export interface DrivenMachine {
  readonly layout: Layout;
  readonly files: MachineFiles;
  /** Runs a helper that does this to the machine; what it refuses or fails at is thrown. */
  drive(verb: string, argument?: string): Promise<Answer>;
  /** The same, with the failure in the answer; `fault` as in GUESTHOUSE_FAULT. */
  attempt(verb: string, argument?: string, fault?: string): Promise<Answer>;
  /** Runs a helper that is killed at this step, then one that only takes over. */
  killedAt(fault: string, verb: string, argument?: string): Promise<Answer>;
  /** A living machine as a helper would have left it: with handles on disk and a free monitor. */
  living(options?: Options): Promise<LaunchedQemu>;
  withMonitor<T>(work: (qmp: Qmp) => Promise<T>): Promise<T>;
  /** Everything that nobody answers for. */
  strays(answer: Answer): Promise<string[]>;
  /** The guest counts and its disk takes a MiB of this pattern at this place, or this pattern modulo 48. */
  goesOn(pattern: number): Promise<void>;
}

/** In a new data folder, or in the one given. */
export async function drivenMachine(folder?: string): Promise<DrivenMachine> {
  const { layout, files } = await home(folder);
  const program = join(await scratchFolder(), "driver.cjs");
  await build({
    entryPoints: [join(import.meta.dirname, "driver.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "cjs",
    external: ["cpu-features", "*.node"],
    logLevel: "error",
  });
  await writeRecord(files, machineRecord);

  const run = (verb: string, argument?: string, fault?: string) =>
    execa(
      "node",
      [
        ...[program, layout.home, verb, machineId],
        ...(argument === undefined ? [] : [argument]),
      ],
      {
        env: fault === undefined ? {} : { GUESTHOUSE_FAULT: fault },
        reject: false,
      },
    );

  const it: DrivenMachine = {
    layout,
    files,
    async drive(verb, argument) {
      const answer = await it.attempt(verb, argument);
      if (answer.failure !== undefined)
        throw new Error(`${verb}: ${JSON.stringify(answer.failure)}`);
      return answer;
    },
    async attempt(verb, argument, fault) {
      const { stdout, stderr } = await run(verb, argument, fault);
      if (stdout === "") throw new Error(`the driver said nothing: ${stderr}`);
      return JSON.parse(stdout) as Answer;
    },
    async killedAt(fault, verb, argument) {
      const { signal } = await run(verb, argument, `${fault}:kill`);
      expect(signal, `${fault} was passed`).toBe("SIGKILL");
      return it.drive("nothing");
    },
    async living(options) {
      const machine = await start(files, options);
      await writeHandles(files, {
        pid: machine.pid,
        startTime: machine.startTime,
        startedAtMs: Date.now(),
        way: "cold",
        accelerator: "tcg",
        acceleratorReason: "",
        sshPort: 1,
        forwards: [],
        leases: 1,
        network: { backend: "user", hostLoopbackReachable: true, reason: "" },
        logOffset: 0,
        boot: [],
        readySinceMs: Date.now(),
      });
      machine.qmp.close();
      return machine;
    },
    async withMonitor(work) {
      const qmp = await connectQmp(files.qmpSocket, { timeoutMs: 5_000 });
      try {
        return await work(qmp);
      } finally {
        qmp.close();
      }
    },
    strays: (answer) => strays(layout, files, answer),
    goesOn: (pattern) =>
      it.withMonitor(async (qmp) => {
        expect(await status(qmp)).toBe("running");
        expect(await counts(qmp)).toBe(true);
        await writeDisk(qmp, pattern, pattern % 48);
      }),
  };
  return it;
}

async function strays(
  layout: Layout,
  files: MachineFiles,
  answer: Answer,
): Promise<string[]> {
  const known = new Set(answer.machines.map((one) => one.record.id));
  const checkpoints = new Set(
    answer.machines.flatMap((one) =>
      one.record.checkpoints.map(({ id }) => id),
    ),
  );
  const found = [
    ...(await readdir(join(layout.home, "machines"))).filter(
      (name) => !known.has(name),
    ),
    ...(await readdir(files.folder)).filter((name) =>
      /\.part$|\.tmp$|next/.test(name),
    ),
    ...(
      await readdir(join(files.folder, "checkpoints")).catch(() => [])
    ).filter((name) => !checkpoints.has(name)),
    ...(await unusedLayers(layout)),
  ];
  const mine = answer.machines.find((one) => one.record.id === machineId)!;
  const hasState = (await readdir(files.folder)).includes("state");
  if (hasState !== (mine.record.resumeFrom !== undefined)) found.push("state");
  return found;
}
