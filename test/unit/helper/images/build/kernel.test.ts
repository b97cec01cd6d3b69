import { describe, expect, test } from "vitest";
import {
  bzImagePayload,
  compressionOf,
  directBootKernel,
} from "../../../../../src/helper/images/build/kernel.ts";

const setupSectors = 4;
const payloadOffset = 0x40;

function bzImage(payload: Buffer, protocol = 0x020f): Buffer {
  const file = Buffer.alloc((setupSectors + 1) * 512 + payloadOffset);
  file.writeUInt8(setupSectors, 0x1f1);
  file.write("HdrS", 0x202, "latin1");
  file.writeUInt16LE(protocol, 0x206);
  file.writeUInt32LE(payloadOffset, 0x248);
  file.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([file, payload, Buffer.from("trailer")]);
}

/** One PT_LOAD of `code`, one PT_NOTE, and section headers behind them. */
function elf(code: Buffer, noteName: string, noteType: number): Buffer {
  const note = Buffer.alloc(12 + 8 + 8);
  note.writeUInt32LE(noteName.length + 1, 0);
  note.writeUInt32LE(8, 4);
  note.writeUInt32LE(noteType, 8);
  note.write(`${noteName}\0`, 12, "latin1");
  const file = Buffer.alloc(64 + 2 * 56);
  file.writeUInt32BE(0x7f454c46, 0);
  file.writeUInt8(2, 4);
  file.writeUInt8(1, 5);
  file.writeBigUInt64LE(64n, 0x20);
  file.writeUInt16LE(2, 0x38);
  file.writeUInt16LE(9, 0x3c);
  const segment = (index: number, type: number, at: number, size: number) => {
    file.writeUInt32LE(type, 64 + index * 56);
    file.writeBigUInt64LE(BigInt(at), 64 + index * 56 + 8);
    file.writeBigUInt64LE(BigInt(size), 64 + index * 56 + 32);
  };
  segment(0, 4, file.length, note.length);
  segment(1, 1, file.length + note.length, code.length);
  file.writeBigUInt64LE(BigInt(file.length + note.length + code.length), 0x28);
  return Buffer.concat([file, note, code, Buffer.from("section headers")]);
}

describe("bzImage", () => {
  const payload = Buffer.from("fd377a585a00 and more", "latin1");

  test("gives its payload", () => {
    expect(bzImagePayload(bzImage(payload))).toEqual(payload);
  });

  test.each([
    ["a plain image", Buffer.alloc(4096)],
    ["a file too short for a header", Buffer.from("MZ")],
    ["a boot protocol without payload fields", bzImage(payload, 0x0207)],
    ["a file that ends inside its payload", bzImage(payload).subarray(0, 2630)],
  ])("%s has none", (_, file) => {
    expect(bzImagePayload(file)).toBeUndefined();
  });
});

describe("kernel for direct boot", () => {
  const code = Buffer.from("kernel code");

  test("ends with its last segment and names no sections", () => {
    const kernel = directBootKernel(elf(code, "Xen", 18));
    expect(kernel?.subarray(-code.length)).toEqual(code);
    expect(kernel?.readBigUInt64LE(0x28)).toBe(0n);
    expect(kernel?.readUInt16LE(0x3c)).toBe(0);
  });

  test.each([
    ["another note", elf(code, "Xen", 6)],
    ["another owner's note", elf(code, "GNU", 18)],
    ["no ELF file", Buffer.from("MZ".padEnd(200))],
    ["an empty file", Buffer.alloc(0)],
  ])("%s: not startable", (_, file) => {
    expect(directBootKernel(file)).toBeUndefined();
  });
});

test.each([
  ["1f8b0800", "gzip"],
  ["fd377a585a0000", "xz"],
  ["28b52ffd", "zstd"],
  ["7f454c46", "none"],
  ["", "none"],
])("bytes %s are %s", (hex, compression) => {
  expect(compressionOf(Buffer.from(hex, "hex"))).toBe(compression);
});
