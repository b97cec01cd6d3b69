import { describe, expect, test } from "vitest";
import {
  BadFrame,
  FrameReader,
  packFrame,
} from "../../../../../src/helper/workspaces/share/frames.ts";

/** A name in UTF-8, a character each byte. */
const bytes = (name: string): string =>
  Buffer.from(name, "utf8").toString("latin1");
const take = (frame: Buffer) => new FrameReader().take(frame);
const refuse = (frame: Buffer) => expect(() => take(frame)).toThrow(BadFrame);

test("frames come out of a stream as they went in, however it is cut; anything else is an error", () => {
  const write = { o: "write", i: 1, h: 3, s: 0 };
  const list = { o: "list", i: 2, p: bytes("ü/…") };
  const whole = Buffer.concat([
    packFrame(write, Buffer.from([0, 1, 255])),
    packFrame(list),
    packFrame({ o: "hello" }),
  ]);
  const reader = new FrameReader();
  const frames = [...whole].flatMap((byte) => reader.take(Buffer.from([byte])));
  expect(frames.map(({ fields }) => fields)).toEqual([
    write,
    list,
    { o: "hello" },
  ]);
  expect([...(frames[0]?.payload ?? [])]).toEqual([0, 1, 255]);
  expect(() =>
    new FrameReader().take(Buffer.from("Traceback (most recent")),
  ).toThrow(/invalid request/);
});

describe("what no guest's file system sends", () => {
  const head = (length: number, text: number): Buffer => {
    const buffer = Buffer.alloc(8);
    buffer.writeUInt32LE(length, 0);
    buffer.writeUInt32LE(text, 4);
    return buffer;
  };

  test("lengths that can't be are refused before anything of it has come", () => {
    for (const [length, text] of [
      ...[[0xffff_ffff, 4] as const, [0, 0] as const, [3, 0] as const],
      ...[[10, 7] as const, [10, 0xffff_ffff] as const],
      [1_000_000, 900_000] as const,
    ])
      refuse(head(length, text));
  });

  test("a frame that is cut off is waited for, and is none", () => {
    const frame = packFrame({ o: "list", i: 1, p: "" });
    for (let cut = 0; cut < frame.length; cut++)
      expect(take(frame.subarray(0, cut))).toEqual([]);
    expect(take(frame)).toHaveLength(1);
  });

  test("text that isn't JSON, or isn't UTF-8", () => {
    const raw = (text: Buffer): Buffer =>
      Buffer.concat([head(4 + text.length, text.length), text]);
    expect(take(raw(Buffer.from('{"o":"list","i":1,"p":"a"}')))).toHaveLength(
      1,
    );
    for (const text of ["", "{", "null", "[]", '"list"', "[".repeat(200_000)])
      refuse(raw(Buffer.from(text)));
    const { length } = '{"o":"list","i":1,"p":"';
    const broken = Buffer.from('{"o":"list","i":1,"p":"a"}');
    broken[length] = 0xff;
    refuse(raw(broken));
  });

  test("unknown operations, and fields of the wrong kind, too many or missing", () => {
    const right = { o: "create", i: 1, p: "a", h: 1, m: 0o600, f: 1 };
    expect(take(packFrame(right))).toHaveLength(1);
    for (const wrong of [
      ...[{ o: "exec" }, { o: "__proto__" }, { o: 7 }, { o: undefined }],
      ...[{ i: 0 }, { i: -1 }, { i: 1.5 }, { i: "1" }, { i: 2 ** 60 }],
      ...[{ i: undefined }, { p: undefined }, { p: 1 }, { p: ["a"] }],
      ...[{ h: 0 }, { h: -1 }, { h: "1" }, { h: null }, { h: 1e300 }],
      ...[{ m: 0o104755 }, { m: -1 }, { f: -1 }, { f: 2 ** 32 }],
      ...[{ t: "a" }, { x: 1 }],
    ])
      refuse(packFrame({ ...right, ...wrong }));
    for (const wrong of [
      { o: "stat", i: 1 },
      { o: "stat", i: 1, p: "a", h: 1 },
      { o: "read", i: 1, h: 1, s: 0, c: 1024 * 1024 + 1 },
      { o: "read", i: 1, h: 1, s: -1, c: 1 },
      { o: "set", i: 1, p: "a", at: [1] },
      { o: "set", i: 1, p: "a", mt: [1, 1e9] },
      { o: "set", i: 1, p: "a", s: "1" },
      { o: "list", p: "a" },
    ])
      refuse(packFrame(wrong));
  });

  test("a payload where nothing is written", () => {
    const data = Buffer.from("data");
    expect(
      take(packFrame({ o: "write", i: 1, h: 1, s: 0 }, data)),
    ).toHaveLength(1);
    refuse(packFrame({ o: "list", i: 1, p: "" }, data));
    refuse(packFrame({ o: "hello" }, data));
    refuse(
      packFrame(
        { o: "write", i: 1, h: 1, s: 0 },
        Buffer.alloc(1024 * 1024 + 1),
      ),
    );
  });

  test("paths that could lead elsewhere, and characters that would become another byte", () => {
    const withPath = (p: string): Buffer => packFrame({ o: "list", i: 1, p });
    for (const path of ["", "a", "a/b c", "...", "..a", bytes("…")])
      expect(take(withPath(path))).toHaveLength(1);
    for (const path of [
      ...["..", "../secret", "a/../..", "/etc", "a//b", "./a", "a/.", "a/"],
      // These would be "..", "../secret" and "a/b", cut to their low bytes.
      ...["\u012e\u012e", "\u012e\u012e\u012fsecret", "a\u012fb", "…"],
      ...["a\0b", "x".repeat(20_000)],
    ]) {
      refuse(withPath(path));
      refuse(packFrame({ o: "rename", i: 1, p: "a", t: path, f: 0 }));
    }
    const link = (t: string): Buffer =>
      packFrame({ o: "symlink", i: 1, p: "a", t });
    expect(take(link("../../etc"))).toHaveLength(1);
    refuse(link("a\u012fb"));
    refuse(link("a\0b"));
  });

  test("the failure repeats nothing of it", () => {
    for (const frame of [
      packFrame({ o: "\u001b[31mred" }),
      packFrame({ o: "list", i: 1, p: "", "\u001b[31mred": 1 }),
    ]) {
      refuse(frame);
      expect(() => take(frame)).not.toThrow(/red/);
    }
  });
});
