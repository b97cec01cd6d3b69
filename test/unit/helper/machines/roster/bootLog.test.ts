import {
  appendFile,
  readFile,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { silentLog } from "../../../../../src/base/log.ts";
import {
  beginBoot,
  followLogs,
  logTail,
  mark,
  readLog,
} from "../../../../../src/helper/machines/roster/bootLog.ts";
import { scratch } from "../../../../fakes/scratch.ts";

const logPath = async (): Promise<string> => join(await scratch(), "m.log");

describe("the boot log", () => {
  test("reads from an offset and never splits a character", async () => {
    const path = await logPath();
    await writeFile(path, "aé€😀z");
    let text = "";
    let offset = 0;
    for (let rounds = 0; rounds < 20; rounds++) {
      const read = await readLog(path, offset, 4);
      text += read.text;
      offset = read.nextOffset;
      if (read.complete) break;
    }
    expect(text).toBe("aé€😀z");
  });

  test("a missing log is empty and complete", async () => {
    expect(await readLog(await logPath(), 0, 10)).toEqual({
      text: "",
      nextOffset: 0,
      complete: true,
    });
  });

  test("an offset past the end, after a rotation, starts anew", async () => {
    const path = await logPath();
    await writeFile(path, "new");
    expect((await readLog(path, 1_000, 10)).text).toBe("new");
  });

  test("a log that has grown too large is rotated at the next boot and kept (B13)", async () => {
    const path = await logPath();
    await writeFile(path, "old");
    await truncate(path, 5 * 1024 * 1024);
    const offset = await beginBoot(path, "boot");
    expect(offset).toBe((await stat(path)).size);
    expect(await readFile(path, "utf8")).toBe("\n── boot ──\n");
    expect((await stat(`${path}.1`)).size).toBe(5 * 1024 * 1024);
  });

  test("the tail has the last lines that say something", async () => {
    const path = await logPath();
    await writeFile(path, "one\r\n\r\ntwo\r\n\r\n");
    await mark(path, "kernel");
    expect(await logTail(path, 2)).toEqual(["two", "── kernel ──"]);
  });

  test("a follower hears what is new, once, from the right offset", async () => {
    const path = await logPath();
    await writeFile(path, "before ");
    const heard: [string, number, string][] = [];
    const stop = followLogs(
      () => [{ id: "m", path }],
      (id, offset, text) => heard.push([id, offset, text]),
      silentLog,
    );
    try {
      await new Promise((resolve) => setTimeout(resolve, 600));
      await appendFile(path, "after");
      await vi.waitFor(() => expect(heard).toEqual([["m", 7, "after"]]), {
        timeout: 3_000,
      });
    } finally {
      stop();
    }
  });
});
