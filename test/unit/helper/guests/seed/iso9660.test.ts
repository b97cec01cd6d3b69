import { describe, expect, test } from "vitest";
import { isoVolume } from "../../../../../src/helper/guests/seed/iso9660.ts";

const at = new Date("2026-01-02T03:04:05Z");
const sector = (image: Buffer, number: number): Buffer =>
  image.subarray(number * 2048, (number + 1) * 2048);

describe("the volume", () => {
  const image = isoVolume(
    "cidata",
    [
      { name: "user-data", content: "user" },
      { name: "meta-data", content: "m".repeat(5000) },
    ],
    at,
  );

  test("is whole sectors, as many as it says in either byte order", () => {
    expect(image.length % 2048).toBe(0);
    const primary = sector(image, 16);
    expect(primary.readUInt32LE(80)).toBe(image.length / 2048);
    expect(primary.readUInt32BE(84)).toBe(image.length / 2048);
  });

  test("carries its label in both trees", () => {
    expect(sector(image, 16).toString("latin1", 40, 46)).toBe("cidata");
    expect(
      Buffer.from(sector(image, 17).subarray(40, 52))
        .swap16()
        .toString("utf16le"),
    ).toBe("cidata");
    expect(sector(image, 17).toString("latin1", 88, 91)).toBe("%/E");
    expect(sector(image, 18).readUInt8(0)).toBe(255);
  });

  test("is the same for the same input", () => {
    const again = isoVolume(
      "cidata",
      [
        { name: "user-data", content: "user" },
        { name: "meta-data", content: "m".repeat(5000) },
      ],
      at,
    );
    expect(again.equals(image)).toBe(true);
  });
});

test("an empty file and no file at all make a readable volume", () => {
  expect(
    isoVolume("x", [{ name: "empty", content: "" }]).length,
  ).toBeGreaterThan(18 * 2048);
  expect(isoVolume("x", []).length % 2048).toBe(0);
});

test("more files than the root folder holds are refused, and no sector is written over", () => {
  const files = Array.from({ length: 40 }, (_, index) => ({
    name: `a-file-with-a-long-name-${String(index)}`,
    content: "",
  }));
  expect(() => isoVolume("x", files)).toThrow(/40 files are more than/);
});
