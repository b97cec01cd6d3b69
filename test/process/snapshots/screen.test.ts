import { join } from "node:path";
import { expect, test } from "vitest";
import { captureMachine } from "../../../src/helper/snapshots/capture.ts";
import { endProcess, waitForExit } from "../../../src/helper/qemu/process.ts";
import { counter, counts, home, start, startFrom } from "./bareMachine.ts";

test("a kept memory brings the screen back, and fits to no machine without one", async () => {
  const { layout, files } = await home();
  const spec = { screenSocket: files.screenSocket };
  const first = await start(files, { spec });
  expect(await counts(first.qmp)).toBe(true);
  const statePath = join(files.folder, "kept");
  await captureMachine(
    { qmp: first.qmp, layout, files, statePath, strategy: "stop" },
    new AbortController().signal,
  );
  const counted = await counter(first.qmp);
  await endProcess(first, "SIGKILL");
  await waitForExit(first, 5_000);

  const second = await startFrom(files, statePath, { spec });
  await second.qmp.execute("cont");
  expect(await counts(second.qmp)).toBe(true);
  expect(await counter(second.qmp)).toBeGreaterThan(0);
  expect(counted).toBeGreaterThan(0);
  await endProcess(second, "SIGKILL");
  await waitForExit(second, 5_000);

  await expect(startFrom(files, statePath)).rejects.toThrow();
});
