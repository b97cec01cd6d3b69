import type { SshSession } from "../../ssh/session.ts";
import type { WorkspaceLog } from "../guest/log.ts";
import { featuresEnvironment } from "./environment.ts";
import {
  dueFeatures,
  type FeatureUsers,
  installFeatures,
  surveyGuest,
} from "./install.ts";
import type { ResolvedFeature } from "./resolve.ts";

export interface FeaturesSetUp {
  /** The `containerEnv` of all of them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Something was installed: groups of the user, say, are those of a new login only. */
  readonly installed: boolean;
}

/**
 * The features' part of an `up`: installs what the guest doesn't have, within `stage`, which is left out where that is
 * nothing.
 */
export async function setUpFeatures(
  {
    session,
    marks,
    log,
  }: {
    readonly session: SshSession;
    readonly marks: ReadonlyMap<string, string>;
    readonly log: WorkspaceLog;
  },
  features: readonly ResolvedFeature[],
  {
    users,
    stage,
  }: {
    readonly users: FeatureUsers;
    readonly stage: (work: () => Promise<void>) => Promise<void>;
  },
  signal: AbortSignal,
): Promise<FeaturesSetUp> {
  if (features.length === 0) return { environment: {}, installed: false };
  const survey = await surveyGuest(session, features, users, signal);
  const due = dueFeatures(features, marks);
  if (due.length > 0)
    await stage(() =>
      installFeatures(
        { session, log },
        { features, due },
        { survey, users },
        signal,
      ),
    );
  return {
    environment: featuresEnvironment(features, survey.base),
    installed: due.length > 0,
  };
}
