import { randomUUID } from "node:crypto";
import type { SshSession } from "../../ssh/session.ts";
import { type Environment, parseLogins } from "../guest/environment.ts";
import { commandFailure } from "../guest/failure.ts";
import { remember } from "../guest/linuxGuest.ts";
import { runHeld } from "../guest/held.ts";
import type { WorkspaceLog } from "../guest/log.ts";
import { must } from "../guest/must.ts";
import { unknownAnswer } from "../guest/parseAnswer.ts";
import { runSteps } from "../guest/steps.ts";
import { isCompressed } from "./archive.ts";
import {
  assignments,
  featuresEnvironment,
  profileScript,
} from "./environment.ts";
import { installScript, surveyScript, unpackScript } from "./guestScripts.ts";
import type { ResolvedFeature } from "./resolve.ts";

/** What installing needs to know of a guest. */
export interface GuestSurvey {
  /** Home folders of the users that there are. */
  readonly homes: ReadonlyMap<string, string>;
  /** What every login has, but for what is ours. */
  readonly base: Environment;
}

export interface FeatureUsers {
  /** Who works in the VM. */
  readonly remote: string;
  /** The file's `containerUser`. */
  readonly container: string | undefined;
}

/** Asks a guest for what installing features needs to know, and sees to their PATH in its login shells. */
export async function surveyGuest(
  session: SshSession,
  features: readonly ResolvedFeature[],
  users: FeatureUsers,
  signal: AbortSignal,
): Promise<GuestSurvey> {
  const mark = randomUUID();
  const names = new Set([users.remote, users.container ?? users.remote]);
  const what = "telling about its users";
  const { stdout } = await must(
    what,
    session.exec(
      surveyScript([...names], profileScript(features), mark),
      {},
      signal,
    ),
  );
  const survey = parseSurvey(stdout, mark);
  if (survey === undefined) throw unknownAnswer(what, stdout);
  return survey;
}

/**
 * What `surveyScript` prints; undefined where its mark is missing. Other lines than entries of users, as the
 * user's shell may print them, are left out. Pure.
 */
export function parseSurvey(
  printed: string,
  mark: string,
): GuestSurvey | undefined {
  const [entries = "", logins, ...more] = printed.split(`${mark}\n`);
  if (logins === undefined || more.length > 0) return undefined;
  return {
    homes: new Map(
      entries.split("\n").flatMap((line) => {
        const [, name, home] = passwdLine.exec(line) ?? [];
        return name === undefined || home === undefined
          ? []
          : [[name, home] as const];
      }),
    ),
    base: parseLogins(logins),
  };
}

/** passwd(5): name, password, user, group, comment, home, shell. */
const passwdLine = /^([^:\s]+):[^:]*:\d+:\d+:[^:]*:([^:]*):[^:]*$/;

/** The name of the mark by which a guest remembers a feature. */
export const featureMark = (identity: string): string => `feature-${identity}`;

/** Those that the guest doesn't remember, in order. Pure. */
export const dueFeatures = (
  features: readonly ResolvedFeature[],
  marks: ReadonlyMap<string, string>,
): ResolvedFeature[] =>
  features.filter(
    ({ identity }) => marks.get(featureMark(identity)) !== "once",
  );

export interface InstallIn {
  readonly session: SshSession;
  readonly log: WorkspaceLog;
}

/**
 * Installs those of `features` that are due, in order, each remembered by the guest when it is done. Throws a
 * `CommandFailure` that names the feature at the first that fails.
 */
export async function installFeatures(
  { session, log }: InstallIn,
  {
    features,
    due,
  }: {
    readonly features: readonly ResolvedFeature[];
    readonly due: readonly ResolvedFeature[];
  },
  {
    survey: { homes, base },
    users,
  }: { readonly survey: GuestSurvey; readonly users: FeatureUsers },
  signal: AbortSignal,
): Promise<void> {
  // A VM has no user that everything runs as; it is asked for, and may not be there.
  const container =
    users.container !== undefined && homes.has(users.container)
      ? users.container
      : users.remote;
  for (const feature of due) {
    const { reference, identity, variables, metadata } = feature;
    const upTo = features.slice(0, features.indexOf(feature) + 1);
    log.mark(`feature ${reference}`);
    const archive = await feature.archive();
    const place = `${metadata.id.replace(/\W/g, "-").slice(0, 40)}-${identity.slice(0, 8)}`;
    await must(
      `unpacking the feature ${reference}`,
      session.exec(
        unpackScript(place, isCompressed(archive)),
        { stdin: archive },
        signal,
      ),
    );
    const line = installScript(
      place,
      assignments({
        ...base,
        ...featuresEnvironment(upTo, base),
        _REMOTE_USER: users.remote,
        _REMOTE_USER_HOME: homes.get(users.remote) ?? "",
        _CONTAINER_USER: container,
        _CONTAINER_USER_HOME: homes.get(container) ?? "",
      }),
      assignments(variables),
    );
    const outcome = await runSteps(
      [{ name: undefined, argv: [line] }],
      (_, onOutput) => runHeld(session, { line }, onOutput, signal),
      log,
      signal,
    );
    if (outcome.code !== 0)
      throw commandFailure(`Feature ${reference}`, outcome, log.path);
    await remember(session, featureMark(identity), "once", signal);
  }
}
