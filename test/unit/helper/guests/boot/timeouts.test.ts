import { expect, test } from "vitest";
import { bootTimeoutMs } from "../../../../../src/helper/guests/boot/timeouts.ts";

test("B7: emulation gets many times the time of hardware acceleration", () => {
  const expectedBootSeconds = 20;
  const fast = bootTimeoutMs({ accelerator: "kvm", expectedBootSeconds });
  const slow = bootTimeoutMs({ accelerator: "tcg", expectedBootSeconds });
  expect(fast).toBe(80_000);
  expect(slow).toBe(800_000);
});

test("B7: an image's own figure counts, and no image gets less than a sane minimum", () => {
  expect(bootTimeoutMs({ accelerator: "kvm", expectedBootSeconds: 2 })).toBe(
    60_000,
  );
  expect(bootTimeoutMs({ accelerator: "hvf", expectedBootSeconds: 120 })).toBe(
    480_000,
  );
  expect(bootTimeoutMs({ accelerator: "tcg", expectedBootSeconds: 2 })).toBe(
    300_000,
  );
  expect(bootTimeoutMs({ accelerator: "whpx" })).toBe(60_000);
});
