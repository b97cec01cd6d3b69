/*
 * What an `up` knows of prebuilds: it asks for one before it makes a machine. They are made one floor above
 * (`prebuild/`), by an `up` of their own.
 */
import type { PrebuildSource } from "../../../protocol/images.ts";
import type { Configuration } from "../devcontainer/read.ts";
import type { Plan } from "./plan.ts";

export interface Prebuilt {
  readonly image: string;
  readonly digest: string;
  readonly source: PrebuildSource;
}

export type PrebuildChoice =
  | {
      readonly kind: "fits";
      readonly prebuilt: Prebuilt;
      readonly note: string;
    }
  /** `note` says why a prebuild of this folder is left alone. */
  | { readonly kind: "none"; readonly note?: string };

/** What an `up` asks before it makes a machine. */
export interface PrebuildFinder {
  choose(
    configuration: Configuration,
    plan: Plan,
    featuresKey: string,
  ): Promise<PrebuildChoice>;
  /** A machine was made of it. */
  used(digest: string): Promise<void>;
}
