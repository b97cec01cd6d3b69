import { expect, test } from "vitest";
import { parseStat } from "../../../../src/helper/processes/linux.ts";
import {
  parseStart,
  parseUsage,
} from "../../../../src/helper/processes/mac.ts";
import { parseRows } from "../../../../src/helper/processes/windows.ts";

const stat = (name: string, state: string, threads = 3): string =>
  `4711 (${name}) ${state} 1 4711 4711 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 ${threads} 0 987654 1000000 2000 18446744073709551615\n`;

test.each(["qemu-system-x86", "a) S 1 (b", "x y"])(
  "Linux: fields are counted behind the name %j (B15)",
  (name) =>
    expect(parseStat(stat(name, "S"))).toEqual({
      ended: false,
      cpuTicks: 300,
      startTicks: "987654",
    }),
);

test("Linux: a zombie has ended", () => {
  expect(parseStat(stat("qemu", "Z", 1))?.ended).toBe(true);
});

test("Linux: a process whose first thread is gone has not ended while others run", () => {
  expect(parseStat(stat("qemu", "Z", 2))?.ended).toBe(false);
});

test("macOS: the start is a date, a zombie has none (B15)", () => {
  expect(parseStart("Ss   Sat Nov 22 03:54:01 2026")).toBe(
    "Sat Nov 22 03:54:01 2026",
  );
  expect(parseStart("Z+   Sat Nov 22 03:54:01 2026")).toBeUndefined();
});

test.each([
  ["0:03.50  20480", 3.5],
  ["1:02:03.00  20480", 3723],
  ["2-01:00:00 20480", 176_400],
])("macOS: %j is %d s", (line, cpuSeconds) => {
  expect(parseUsage(line)).toEqual({
    cpuSeconds,
    memoryBytes: 20_480 * 1024,
  });
});

test("Windows: no row, one row and many", () => {
  const row = {
    ProcessId: 42,
    CommandLine: null,
    WorkingSetSize: 4096,
    UserModeTime: 10_000_000,
    KernelModeTime: 5_000_000,
    Start: 638_000_000_000_000_000,
  };
  const read = {
    pid: 42,
    commandLine: "",
    memoryBytes: 4096,
    cpuSeconds: 1.5,
    startTime: "638000000000000000",
  };
  expect(parseRows("\r\n")).toEqual([]);
  expect(parseRows(JSON.stringify(row))).toEqual([read]);
  expect(parseRows(JSON.stringify([row, row]))).toEqual([read, read]);
});
