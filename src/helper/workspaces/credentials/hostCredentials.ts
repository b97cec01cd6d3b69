/*
 * Credentials that git on this computer has, for git in a guest: only for the servers that the repository's settings here
 * name, as remotes or as submodules that were initialized, and only those that are there already. Nothing is asked of the user, nothing is stored or erased, and
 * no setting of the repository says which program is asked.
 */
import { dirname } from "node:path";
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

/** No window comes up on this computer because of a guest. */
const silent = {
  args: [
    ...["-c", "core.askPass=", "-c", "credential.interactive=false"],
    ...["credential", "fill"],
  ],
  env: { GCM_INTERACTIVE: "never", GIT_ASKPASS: "", SSH_ASKPASS: "" },
};

/**
 * Name and value of each, as git says them; none where git has nothing, or the folder doesn't name the server. `neutral` is a
 * folder outside of any repository.
 */
export async function credentialsFor(
  question: CredentialQuestion,
  { folder, neutral }: { readonly folder: string; readonly neutral: string },
  signal: AbortSignal,
): Promise<[name: string, value: string][]> {
  const servers = await serversOf(folder, signal);
  if (!servers.has(question.host.toLowerCase())) return [];
  const asked = Object.entries(question).map(
    ([name, value]) => `${name}=${String(value)}\n`,
  );
  const { stdout } = await hostGit(
    neutral,
    silent.args,
    {
      stdin: `${asked.join("")}\n`,
      env: { ...silent.env, GIT_CEILING_DIRECTORIES: dirname(neutral) },
      fine: [0, 1, 128],
    },
    AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
  );
  const answer = stdout.split("\n").flatMap((line): [string, string][] => {
    const [, name = "", value = ""] = /^([a-z_]+)=([^\t]*)$/.exec(line) ?? [];
    return told.has(name) ? [[name, value]] : [];
  });
  return answer.some(([name]) => name === "password") ? answer : [];
}

/**
 * Host names, with ports, of the remotes of a repository and of its initialized submodules; empty where it is none. Not those
 * of .gitmodules: whoever writes the repository's files would choose the servers.
 */
export async function serversOf(
  folder: string,
  signal: AbortSignal,
): Promise<Set<string>> {
  const { stdout } = await hostGit(
    folder,
    ["config", "-z", "--local", "--get-regexp", String.raw`\.(push)?url$`],
    { fine: [0, 1, 128] },
    signal,
  );
  const addresses = stdout
    .split("\0")
    .map((each) => each.slice(each.indexOf("\n") + 1));
  return new Set(addresses.flatMap((address) => serverOf(address) ?? []));
}

/** `https://user@example.org:8443/x` → `example.org:8443`, `git@example.org:x` → `example.org`. Pure. */
export function serverOf(address: string): string | undefined {
  const [, scheme, host = "", port = ""] =
    /^([a-z+]+):\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:]+)(:\d+)?(?:\/|$)/i.exec(
      address,
    ) ?? [];
  if (scheme !== undefined) {
    if (scheme === "file") return undefined;
    // A port of another protocol's server says nothing of the web's.
    return `${host}${/^https?$/i.test(scheme) ? port : ""}`.toLowerCase();
  }
  const [, short] = /^(?:[^/@:]+@)?([^/@:]{2,}):(?!\/\/)/.exec(address) ?? [];
  return short?.toLowerCase();
}
