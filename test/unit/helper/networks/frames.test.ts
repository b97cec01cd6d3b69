import { expect, test } from "vitest";
import {
  packed,
  readSegment,
  tcpFrame,
  unpack,
} from "../../../../src/helper/networks/frames.ts";

const segment = {
  source: "10.0.2.32",
  target: "192.0.2.1",
  sourcePort: 40_000,
  targetPort: 22,
  sequence: 1_000,
  acknowledged: 4_000_000_000,
  flags: 0x18,
  data: Buffer.from("odd"),
};
const frame = tcpFrame("52:54:00:67:68:01", "52:55:0a:00:02:02", segment);

test("what was written into a frame is read out of it", () => {
  expect(readSegment(frame)).toEqual(segment);
  expect(readSegment(frame.subarray(0, 40))).toBeUndefined();
});

test("both checksums come out even (RFC 1071)", () => {
  const sum = (bytes: Buffer): number => {
    let total = 0;
    for (let i = 0; i < bytes.length; i += 2)
      total += bytes.length > i + 1 ? bytes.readUInt16BE(i) : bytes[i]! << 8;
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return total;
  };
  const ip = frame.subarray(14, 34);
  const tcp = frame.subarray(34);
  expect(sum(ip)).toBe(0xffff);
  expect(
    sum(
      Buffer.concat([
        ip.subarray(12, 20),
        Buffer.from([0, 6, 0, tcp.length]),
        tcp,
      ]),
    ),
  ).toBe(0xffff);
});

test("frames are found in a stream that is cut anywhere", () => {
  const stream = Buffer.concat([packed(frame), packed(frame)]);
  for (const cut of [0, 3, 4, 60, frame.length + 4, stream.length]) {
    const first = unpack(stream.subarray(0, cut));
    const second = unpack(Buffer.concat([first.rest, stream.subarray(cut)]));
    expect([...first.frames, ...second.frames]).toEqual([frame, frame]);
    expect(second.rest).toHaveLength(0);
  }
});
