import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import * as z from "zod";
import { given } from "../../../base/given.ts";
import { readIfPresent } from "../../../base/files.ts";
import { findProgram } from "../../processes/programs.ts";

/** A name and password, or token, for one registry. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What this computer has for a registry (`ghcr.io`, `localhost:5000`); asked only when it refuses us without. */
export type FindCredentials = (
  registry: string,
  signal?: AbortSignal,
) => Promise<Credentials | undefined>;

const configSchema = z.looseObject({
  auths: z
    .record(
      z.string(),
      z.looseObject({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
      }),
    )
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
type DockerConfig = z.output<typeof configSchema>;

/** What a credential helper answers; the user's name `<token>` stands for a token that is none for pulling. */
const answerSchema = z.object({ Username: z.string(), Secret: z.string() });

const helperTimeoutMs = 20_000;

/**
 * Looks where the reference implementation does, in its order: `DEVCONTAINERS_OCI_AUTH` (`host|user|token`, by commas), the
 * helper, store or entry that `docker login` wrote, and `GITHUB_TOKEN` for ghcr.io. What can't be read is what isn't there:
 * the registry's refusal says the rest.
 */
export const credentialsOf =
  (env: NodeJS.ProcessEnv, home = homedir()): FindCredentials =>
  async (registry, signal) =>
    fromVariable(env["DEVCONTAINERS_OCI_AUTH"], registry) ??
    (await fromDocker(env["DOCKER_CONFIG"], home, registry, signal)) ??
    (registry === "ghcr.io" && hasText(env["GITHUB_TOKEN"])
      ? { username: "USERNAME", password: env["GITHUB_TOKEN"] }
      : undefined);

function fromVariable(
  value: string | undefined,
  registry: string,
): Credentials | undefined {
  for (const entry of value?.split(",") ?? []) {
    const [host, username, ...password] = entry.trim().split("|");
    if (host === registry && hasText(username) && password.length > 0)
      return { username, password: password.join("|") };
  }
  return undefined;
}

async function fromDocker(
  folder: string | undefined,
  home: string,
  registry: string,
  signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
  const path = join(
    hasText(folder) ? folder : join(home, ".docker"),
    "config.json",
  );
  const config = parseConfig(await readIfPresent(path).catch(() => undefined));
  const { credHelpers = {}, credsStore, auths = {} } = config;
  const helper = Object.hasOwn(credHelpers, registry)
    ? credHelpers[registry]
    : credsStore;
  const kept =
    helper === undefined
      ? undefined
      : await askHelper(helper, registry, signal);
  if (kept !== undefined) return kept;
  const entry = Object.entries(auths).find(
    ([key]) => hostOf(key) === registry,
  )?.[1];
  return entry === undefined ? undefined : ofEntry(entry);
}

function parseConfig(text: string | undefined): DockerConfig {
  try {
    return configSchema.parse(JSON.parse(text ?? "{}"));
  } catch {
    return {};
  }
}

/** Older versions of Docker wrote addresses: `https://registry.example.com/v1/`. */
const hostOf = (key: string): string =>
  key.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");

function ofEntry({
  auth,
  username,
  password,
}: NonNullable<DockerConfig["auths"]>[string]): Credentials | undefined {
  const [, name, word] =
    /^([^:]*):([^]*)$/.exec(Buffer.from(auth ?? "", "base64").toString()) ?? [];
  if (hasText(name) && hasText(word)) return { username: name, password: word };
  return hasText(username) && hasText(password)
    ? { username, password }
    : undefined;
}

/** Runs the program that the user's own configuration names, as Docker does. */
async function askHelper(
  name: string,
  registry: string,
  signal: AbortSignal | undefined,
): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(name)) return undefined;
  const program = await findProgram(`docker-credential-${name}`);
  if (program === undefined) return undefined;
  const { exitCode, stdout } = await execa(program, ["get"], {
    input: registry,
    reject: false,
    timeout: helperTimeoutMs,
    maxBuffer: 1024 * 1024,
    ...given({ cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (exitCode !== 0) return undefined;
  try {
    const { Username, Secret } = answerSchema.parse(JSON.parse(stdout));
    return Username === "<token>" || Secret === ""
      ? undefined
      : { username: Username, password: Secret };
  } catch {
    return undefined;
  }
}

const hasText = (text: string | undefined): text is string =>
  text !== undefined && text !== "";
