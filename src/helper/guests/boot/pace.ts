import type { ConnectFailure } from "../../ssh/client.ts";

/**
 * How long to wait for a banner, and how long to pause before the next try. One probe at a time.
 *
 * User-mode networking accepts before the guest's network is up, and a connection begun then stays silent for seconds
 * even when the guest comes up meanwhile: so waits are short at first. A guest that refuses has a network; from then on
 * silence means that sshd took the connection and is slow, so waits are long. What an emulated sshd needs for its
 * banner was measured at up to a second.
 */
export interface Pace {
  readonly bannerTimeoutMs: number;
  readonly pauseMs: number;
  readonly refusedBefore: boolean;
}

const shortMs = 200;
const growth = 1.15;
const longMs = 4_000;

export const firstPace: Pace = {
  bannerTimeoutMs: shortMs,
  pauseMs: 0,
  refusedBefore: false,
};

/** The pace after a try that did not lead to a login. Pure. */
export function nextPace(pace: Pace, failure: ConnectFailure): Pace {
  switch (failure.kind) {
    case "noBanner":
      return {
        ...pace,
        bannerTimeoutMs: Math.min(pace.bannerTimeoutMs * growth, longMs),
        pauseMs: 10,
      };
    case "broken":
      return failure.banner
        ? { ...pace, bannerTimeoutMs: longMs, pauseMs: 200 }
        : { bannerTimeoutMs: longMs, pauseMs: 50, refusedBefore: true };
    case "loginRefused":
    case "hostKeyMismatch":
      // cloud-init may still be writing the keys.
      return {
        bannerTimeoutMs: longMs,
        pauseMs: Math.min(Math.max(pace.pauseMs, 250) * 1.5, 3_000),
        refusedBefore: true,
      };
  }
}

/** The guest got on: its network may come up any moment. */
export const hopefulPace = (pace: Pace): Pace =>
  pace.refusedBefore ? pace : { ...pace, bannerTimeoutMs: shortMs };

/** The console says that sshd runs: silence is slowness. */
export const patientPace = (pace: Pace): Pace => ({
  ...pace,
  bannerTimeoutMs: Math.max(pace.bannerTimeoutMs, 2_000),
});
