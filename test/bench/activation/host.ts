import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { suite, test } from "mocha";
import * as vscode from "vscode";
import { env, runMocha } from "../../editor/harness/hostRunner.ts";

/** Waits until this process has hardly anything to do for half a second: the editor's own extensions start up in it. */
async function untilIdle(): Promise<void> {
  for (;;) {
    const before = performance.eventLoopUtilization();
    await sleep(500);
    const { utilization } = performance.eventLoopUtilization(before);
    if (utilization < 0.02) return;
  }
}

/** Processor time that activation takes, in milliseconds. Other processes may keep the machine busy: no clock tells it. */
async function activation(id: string): Promise<number> {
  const extension = vscode.extensions.getExtension(id);
  assert.ok(extension, `${id} is not installed`);
  assert.equal(extension.isActive, false);
  await untilIdle();
  const before = process.cpuUsage();
  await extension.activate();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

export const run = (): Promise<void> =>
  runMocha(() => {
    suite("activation", () => {
      test("of each extension", async () => {
        const usedMs: Record<string, number> = {};
        for (const id of env("GUESTHOUSE_BENCH_EXTENSIONS").split(","))
          usedMs[id] = await activation(id);
        await writeFile(
          env("GUESTHOUSE_BENCH_ACTIVATION"),
          JSON.stringify(usedMs),
        );
      });
    });
  });
