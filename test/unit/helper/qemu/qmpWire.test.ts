import { expect, test } from "vitest";
import {
  decodeMessage,
  lineReader,
} from "../../../../src/helper/qemu/qmpWire.ts";

test("an event without data has empty data", () => {
  expect(
    decodeMessage(
      '{"timestamp": {"seconds": 10, "microseconds": 250000}, "event": "POWERDOWN"}',
    ),
  ).toEqual({ kind: "event", event: "POWERDOWN", data: {}, atMs: 10_250 });
});

test("an error to a line that QEMU could not read has no id", () => {
  expect(
    decodeMessage('{"error": {"class": "GenericError", "desc": "JSON parse"}}'),
  ).toEqual({
    kind: "error",
    id: undefined,
    errorClass: "GenericError",
    description: "JSON parse",
  });
});

test.each(["", "null", "[]", '{"QMP": {}}', "{", '{"event": 3}'])(
  "%j is garbage",
  (line) => expect(decodeMessage(line).kind).toBe("garbage"),
);

test("a reader gives the same lines for every way of cutting the bytes", () => {
  const bytes = Buffer.from('{"a":"ü"}\r\n\r\n{"b":"€"}\n{"c":1}\r\n');
  for (let size = 1; size <= bytes.length; size++) {
    const lines: string[] = [];
    const read = lineReader(
      (line) => lines.push(line),
      () => expect.unreachable(),
    );
    for (let at = 0; at < bytes.length; at += size)
      read(bytes.subarray(at, at + size));
    expect(lines).toEqual(['{"a":"ü"}', '{"b":"€"}', '{"c":1}']);
  }
});

test("a line without an end is given up", () => {
  let overflows = 0;
  const read = lineReader(
    () => expect.unreachable(),
    () => overflows++,
  );
  const chunk = Buffer.alloc(1024 * 1024, "x");
  for (let count = 0; count < 17; count++) read(chunk);
  expect(overflows).toBe(1);
});
