import type { GuestSystem } from "../../../protocol/images.ts";

/** What of a system decides how its machines are handled, whoever handles them. */
export interface Abilities {
  /**
   * A guest that goes on from another's memory gets a card and an address of its own. Else it keeps that one's: each
   * machine has a network of its own, so the two never meet, and Windows is known to lose a new card in some
   * generations of clones (B5).
   */
  readonly changeCard: boolean;
  /** It is told its name in a running guest, not only by its seed, and takes it on at its next restart. */
  readonly renameInside: boolean;
  /** It takes what its seed says once more when the seed has another instance id. */
  readonly takeSeedAgain: boolean;
  /** It takes on a name while it runs, so a clone can wait in the pool without one. */
  readonly waitNameless: boolean;
  /** Its template is made unasked: else it would take gigabytes of memory beside the machine that was asked for. */
  readonly warmUnasked: boolean;
}

/**
 * What each system can. What is done for a system in another way stands in a table beside what is done: `suitedTo`
 * (what its machines are made of), `writeSeedFor`, `booting`, `handoffTo`, and how its templates boot.
 */
export const can: Readonly<Record<GuestSystem, Abilities>> = {
  linux: {
    changeCard: true,
    renameInside: false,
    takeSeedAgain: true,
    waitNameless: true,
    warmUnasked: true,
  },
  windows: {
    changeCard: false,
    renameInside: true,
    takeSeedAgain: false,
    waitNameless: false,
    warmUnasked: false,
  },
};
