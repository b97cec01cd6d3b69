import type { Case } from "./case.ts";
import type { Reported, RunInContainer } from "./outcome.ts";

/** What brings a case's folder up: the reference, or the product. */
export interface Engine {
  readonly name: string;
  /** Why it can't take this case here; undefined when it can. */
  unfit(one: Case): string | undefined;
  /** Brings the folder up; never throws for a folder that doesn't come up. */
  up(one: Case, folder: string): Promise<CameUp | DidNot>;
  /** What answers an HTTP request to a published port; undefined when nothing does. */
  reach(port: number): Promise<string | undefined>;
  /** Removes what the case left behind. */
  down(one: Case, folder: string): Promise<void>;
  readonly close: () => Promise<void>;
}

export interface CameUp {
  readonly run: RunInContainer;
  readonly reported: Reported;
  /** What was said meanwhile. */
  readonly log: string;
}

export interface DidNot {
  readonly failure: string;
  readonly log: string;
}
