/*
 * Credentials that git on this computer has, for git in a guest: only for what the repository's remotes here name, and only
 * those that are there already. Nothing is asked of the user, nothing is stored or erased, and no setting of the repository
 * says which program is asked.
 */
import { lstat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withDeadline } from "../../../base/deadline.ts";
import { hostGit } from "../git/hostGit.ts";
import type { CredentialQuestion } from "./ask.ts";

const limitMs = 30_000;

/** What a guest may be told. */
const told = new Set([
  "protocol",
  "host",
  "username",
  "password",
  "password_expiry_utc",
]);

/** As far as a credential helper heeds it, no window comes up on this computer because of a guest. */
const silent = {
  args: [
    ...["-c", "core.askPass=", "-c", "credential.interactive=false"],
    ...["credential", "fill"],
  ],
  env: {
    GCM_INTERACTIVE: "never",
    GIT_ASKPASS: "",
    SSH_ASKPASS: "",
    DISPLAY: "",
    WAYLAND_DISPLAY: "",
  },
};

/**
 * Name and value of each, as git says them; none where git has nothing, or no remote of the folder's repository is meant.
 * `neutral` is a folder outside of any repository.
 */
export async function credentialsFor(
  question: CredentialQuestion,
  { folder, neutral }: { readonly folder: string; readonly neutral: string },
  signal: AbortSignal,
): Promise<[name: string, value: string][]> {
  const remotes = await remotesOf(folder, signal);
  if (!remotes.some((remote) => answersTo(remote, question))) return [];
  const asked = Object.entries(question).map(
    ([name, value]) => `${name}=${String(value)}\n`,
  );
  // A helper of the user's that keeps its output open isn't waited for.
  const { stdout } = await withDeadline(
    "git's credential helper",
    limitMs,
    (within) =>
      hostGit(
        neutral,
        silent.args,
        {
          stdin: `${asked.join("")}\n`,
          env: { ...silent.env, GIT_CEILING_DIRECTORIES: dirname(neutral) },
          fine: [0, 1, 128],
        },
        within,
      ),
    signal,
  );
  const answer = stdout.split("\n").flatMap((line): [string, string][] => {
    const [, name = "", value = ""] = /^([a-z_]+)=([^\t]*)$/.exec(line) ?? [];
    return told.has(name) ? [[name, value]] : [];
  });
  return answer.some(([name]) => name === "password") ? answer : [];
}

/** Where a repository is fetched from or pushed to. */
export interface Remote {
  /** By plain http. */
  readonly isPlain: boolean;
  /** In lower case, with the port of a web server. */
  readonly host: string;
  /** Without a slash at its beginning or `.git` at its end. */
  readonly path: string;
  readonly username: string | undefined;
}

/**
 * Does a question mean this remote? What it leaves out is for the user's helper to say; an account or a path that it names must
 * be the remote's. What is reached by plain http has its password on the wire: only where the user has it so. Pure.
 */
export const answersTo = (
  { isPlain, host, path, username }: Remote,
  asked: CredentialQuestion,
): boolean =>
  host === asked.host.toLowerCase() &&
  (asked.protocol === "https" || isPlain) &&
  (asked.username === undefined || asked.username === username) &&
  (asked.path === undefined || plainPath(asked.path) === path);

/**
 * Of the repository that a folder is in; none where it is in none. Submodules don't count: whoever writes the repository's files
 * would choose them, even where git has entered them into its settings.
 */
export async function remotesOf(
  folder: string,
  signal: AbortSignal,
): Promise<Remote[]> {
  // Only there git doesn't take files that somebody committed, which look like a bare repository, for the repository.
  const top = await topOf(folder);
  if (top === undefined) return [];
  const { stdout } = await hostGit(
    top,
    [
      ...["config", "-z", "--local", "--get-regexp"],
      String.raw`^remote\..*\.(push)?url$`,
    ],
    { fine: [0, 1, 128] },
    signal,
  );
  return stdout
    .split("\0")
    .flatMap((each) => remoteOf(each.slice(each.indexOf("\n") + 1)) ?? []);
}

/** The nearest folder with a `.git`. */
async function topOf(folder: string): Promise<string | undefined> {
  const found = await lstat(join(folder, ".git")).catch(() => undefined);
  if (found !== undefined) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : topOf(above);
}

/** `https://user@example.org:8443/x`, `git@example.org:x`. Pure. */
export function remoteOf(address: string): Remote | undefined {
  const [, scheme, user, host = "", port = "", path = ""] =
    /^([a-z+]+):\/\/(?:([^/@]*)@)?(\[[^\]]*\]|[^/:]+)(?::(\d*))?(?:\/(.*))?$/i.exec(
      address,
    ) ?? [];
  const protocol = scheme?.toLowerCase();
  if (protocol === "file") return undefined;
  const isWeb = protocol === "https" || protocol === "http";
  if (protocol !== undefined)
    return {
      isPlain: protocol === "http",
      // A port of another protocol's server says nothing of the web's.
      host: `${host}${isWeb && port !== "" ? `:${port}` : ""}`.toLowerCase(),
      path: plainPath(path),
      // Nor does a user of its.
      username: isWeb ? userOf(user) : undefined,
    };
  const [, short, way = ""] =
    /^(?:[^/@:]+@)?([^/@:]{2,}):(?!\/\/)(.*)$/.exec(address) ?? [];
  return short === undefined
    ? undefined
    : {
        isPlain: false,
        host: short.toLowerCase(),
        path: plainPath(way),
        username: undefined,
      };
}

const plainPath = (path: string): string =>
  path.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");

/** As git decodes it; a password behind it isn't asked for. */
function userOf(text: string | undefined): string | undefined {
  const [name = ""] = (text ?? "").split(":");
  try {
    return name === "" ? undefined : decodeURIComponent(name);
  } catch {
    return name;
  }
}
