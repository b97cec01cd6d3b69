import { join } from "node:path";
import { truncate, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { expect, test } from "vitest";
import { captureMachine } from "../../../src/helper/snapshots/capture.ts";
import { atWork, home, start } from "./bareMachine.ts";

const mib = 1024 ** 2;

/** Of a file, what the page cache holds. */
async function residentMiB(path: string): Promise<number> {
  const { stdout } = await execa("fincore", [
    ...["--bytes", "--noheadings", "--output", "RES", path],
  ]);
  return Number(stdout.trim()) / mib;
}

test("a warm clone's memory file is in the page cache before the guest stands still for a fork", async () => {
  const { layout, files } = await home();
  const path = join(files.folder, "template-memory");
  await writeFile(path, "");
  await truncate(path, 160 * mib);
  const { qmp } = await start(files, {
    spec: { memoryFile: { path, shared: false } },
  });
  await atWork(qmp);
  const before = await residentMiB(path);
  let whenStopped = 0;
  await captureMachine(
    {
      qmp: {
        ...qmp,
        execute: async (command, ...rest) => {
          if (command === "stop") whenStopped = await residentMiB(path);
          return qmp.execute(command, ...rest);
        },
      },
      layout,
      files,
      statePath: files.state,
      strategy: "stop",
    },
    new AbortController().signal,
  );
  expect(before).toBeLessThan(80);
  // The kernel may take some of it back at any time.
  expect(whenStopped).toBeGreaterThan(120);
});
