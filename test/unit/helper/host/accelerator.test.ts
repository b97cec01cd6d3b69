import { expect, test } from "vitest";
import { describe } from "../../../../src/helper/host/trial.ts";
import { trialPayload } from "../../../../src/helper/host/trialPayload.ts";

const end = { timedOut: false, stderr: "" };

test.each([
  [
    { ...end, timedOut: true, signal: "SIGKILL" },
    "KVM opens, but the trial guest ran no code within 5 s.",
  ],
  [
    {
      ...end,
      signal: "SIGABRT",
      stderr:
        "qemu-system-x86_64: warning: feature\nqemu-system-x86_64: error: failed to set MSR 0x10a to 0x69\nassertion\n",
    },
    "KVM does not run the trial guest: QEMU ended with signal SIGABRT (error: failed to set MSR 0x10a to 0x69).",
  ],
  [
    { ...end, exitCode: 43 },
    "KVM does not run the trial guest: QEMU ended with exit code 43.",
  ],
])("a trial that ended with %o says so (B7)", (how, sentence) => {
  expect(describe("kvm", false, how, 5_000)).toBe(sentence);
});

test("only the right sum counts as 64-bit code (B7)", () => {
  const { succeeded } = trialPayload("x86_64");
  expect(succeeded(85, "")).toBe(true);
  // 0x15 is what the payload writes for a wrong sum; 0 and 1 are QEMU's own.
  for (const code of [0, 1, 0x15 * 2 + 1, undefined])
    expect(succeeded(code, "")).toBe(false);
});

test("the ARM payload must have written and powered off (B7)", () => {
  const { succeeded } = trialPayload("aarch64");
  expect(succeeded(0, "64")).toBe(true);
  expect(succeeded(0, "")).toBe(false);
  expect(succeeded(1, "64")).toBe(false);
});
