import { expect, test } from "vitest";
import {
  firstPace,
  hopefulPace,
  nextPace,
  patientPace,
  type Pace,
} from "../../../../../src/helper/guests/boot/pace.ts";

const silence = { kind: "noBanner", waitedMs: 200 } as const;
const refusal = {
  kind: "broken",
  detail: "ECONNRESET",
  afterMs: 5,
  banner: false,
} as const;

test("silence lengthens the waits, up to four seconds", () => {
  let pace: Pace = firstPace;
  for (let i = 0; i < 40; i++) {
    const next = nextPace(pace, silence);
    expect(next.bannerTimeoutMs).toBeGreaterThanOrEqual(pace.bannerTimeoutMs);
    pace = next;
  }
  expect(pace.bannerTimeoutMs).toBe(4_000);
});

test("a guest that gets on makes the waits short again, unless its network was seen", () => {
  let pace: Pace = firstPace;
  for (let i = 0; i < 40; i++) pace = nextPace(pace, silence);
  expect(hopefulPace(pace).bannerTimeoutMs).toBe(200);
  expect(hopefulPace(nextPace(pace, refusal)).bannerTimeoutMs).toBe(4_000);
});

test("after a refusal the next try comes within a tenth of a second and waits patiently", () => {
  const pace = nextPace(firstPace, refusal);
  expect(pace.pauseMs).toBeLessThanOrEqual(100);
  expect(pace.bannerTimeoutMs).toBe(4_000);
});

test("a refused login is tried less and less often", () => {
  let pace: Pace = firstPace;
  const pauses = Array.from({ length: 12 }, () => {
    pace = nextPace(pace, { kind: "loginRefused", detail: "x" });
    return pace.pauseMs;
  });
  expect(pauses[0]).toBeLessThan(500);
  expect(pauses.at(-1)).toBe(3_000);
});

test("the console's word that sshd runs makes the waits longer, never shorter", () => {
  expect(patientPace(firstPace).bannerTimeoutMs).toBe(2_000);
  expect(
    patientPace({ ...firstPace, bannerTimeoutMs: 4_000 }).bannerTimeoutMs,
  ).toBe(4_000);
});
