import { expect, test, vi } from "vitest";
import {
  agoText,
  bytesText,
  durationText,
  memoryText,
} from "../../../../src/extension/rows/quantities.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

test("memory is told in the unit that reads best", () => {
  expect([128, 512, 1024, 1536, 2048, 16_384].map(memoryText)).toEqual([
    "128 MB",
    "512 MB",
    "1 GB",
    "1.5 GB",
    "2 GB",
    "16 GB",
  ]);
});

test("bytes are told with one decimal below ten of a unit", () => {
  expect(
    [
      0,
      1023,
      1024,
      340 * 1024,
      1.44 * 1024 ** 2,
      12 * 1024 ** 2,
      612 * 1024 ** 2,
      1.4 * 1024 ** 3,
    ].map(bytesText),
  ).toEqual([
    "0 bytes",
    "1023 bytes",
    "1 KB",
    "340 KB",
    "1.4 MB",
    "12 MB",
    "612 MB",
    "1.4 GB",
  ]);
});

test("durations lose precision with age and are never negative", () => {
  const s = 1000;
  expect(
    [
      -5 * s,
      0,
      12.9 * s,
      59.9 * s,
      60 * s,
      3599 * s,
      3600 * s,
      11_520 * s,
      90_000 * s,
    ].map(durationText),
  ).toEqual([
    "0 s",
    "0 s",
    "12 s",
    "59 s",
    "1 min",
    "59 min",
    "1 h 0 min",
    "3 h 12 min",
    "1 d 1 h",
  ]);
});

test("an age is told in whole minutes, and not at all below one", () => {
  expect([0, 59_999, 180_000, 11_520_000].map(agoText)).toEqual([
    "just now",
    "just now",
    "3 min ago",
    "3 h 12 min ago",
  ]);
});
