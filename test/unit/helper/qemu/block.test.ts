import { expect, test } from "vitest";
import { parseInfo, parseProgress } from "../../../../src/helper/qemu/block.ts";
import { explainQemuImg } from "../../../../src/helper/qemu/qemuImg.ts";

test("a chain is read from the top down", () => {
  const file = (filename: string, format: string) => ({
    filename,
    format,
    "virtual-size": 1024,
    "actual-size": 512,
    "dirty-flag": false,
  });
  expect(
    parseInfo(
      JSON.stringify([
        {
          ...file("/top", "qcow2"),
          "format-specific": { type: "qcow2", data: { corrupt: true } },
        },
        file("/base", "raw"),
      ]),
    ),
  ).toEqual({
    path: "/top",
    format: "qcow2",
    virtualSizeBytes: 1024,
    actualSizeBytes: 512,
    dirty: false,
    corrupt: true,
    backing: {
      path: "/base",
      format: "raw",
      virtualSizeBytes: 1024,
      actualSizeBytes: 512,
      dirty: false,
      corrupt: false,
    },
  });
});

test.each([
  ["    (0.00/100%)\r    (12.50/100%)\r", 0.125],
  ["    (100.00/100%)\r\n", 1],
  ["nothing", undefined],
])("progress in %j is %s", (chunk, fraction) =>
  expect(parseProgress(chunk)).toBe(fraction),
);

test.each([
  ["error while writing: No space left on device", "host.diskFull"],
  ["Could not open 'x': Permission denied", "host.permission"],
  ["Could not open 'x': No such file or directory", "images.broken"],
  ["Image is not in qcow2 format", "images.broken"],
  ['Failed to get "write" lock', "images.busy"],
  ["something new", "host.toolFailed"],
])("%j is %s", (stderr, code) => {
  const { failure } = explainQemuImg(["convert"], `qemu-img: ${stderr}\n`);
  expect(failure.code).toBe(code);
  expect(failure.message).toContain(stderr);
});
