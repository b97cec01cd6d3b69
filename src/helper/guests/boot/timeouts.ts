import type { AcceleratorKind } from "../../../protocol/host.ts";

/** What an image without a figure of its own is taken to need to SSH under hardware acceleration. */
const usualBootSeconds = 15;

/**
 * How long a boot may take before it counts as timed out (B7). Emulation was measured to take 6 to 10 times as long as
 * hardware acceleration; the margin on top covers a busy host.
 */
export function bootTimeoutMs(boot: {
  readonly accelerator: AcceleratorKind;
  /** Seconds to SSH under hardware acceleration; each image may carry its own. */
  readonly expectedBootSeconds?: number | undefined;
}): number {
  const expectedMs = (boot.expectedBootSeconds ?? usualBootSeconds) * 1000;
  const margin = 4;
  return boot.accelerator === "tcg"
    ? Math.max(300_000, expectedMs * margin * 10)
    : Math.max(60_000, expectedMs * margin);
}
