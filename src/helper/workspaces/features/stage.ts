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

/**
 * The features' part of an `up`: installs what the guest doesn't have, within `stage`, which is left out where that is
 * nothing. Answers with the `containerEnv` of all of them.
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
): Promise<Record<string, string>> {
  if (features.length === 0) return {};
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
  return featuresEnvironment(features, survey.base);
}
