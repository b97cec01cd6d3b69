import type { Stage } from "./stage.ts";

/** One way of another tool to a guest that answers ssh. */
export interface Peer {
  readonly name: string;
  /** `create`: a new machine; `restore`: one whose memory was kept. */
  readonly kind: "create" | "restore";
  /** Programs that it can't do without, and Debian's packages that bring them. */
  readonly programs: Readonly<Record<string, string>>;
  /** Why it can't run on this host although its programs are there. */
  readonly whyNot?: () => Promise<string | undefined>;
  /** Makes everything that isn't measured. */
  readonly prepare: (stage: Stage) => Promise<Way>;
}

export interface Way {
  /** Not measured either. */
  readonly before?: () => Promise<void>;
  /** What is measured: from the command to the first ssh command that succeeded. */
  readonly run: () => Promise<void>;
  /** Puts everything back, so that it can be measured again. */
  readonly reset: () => Promise<unknown>;
}
