/**
 * What a case is: a folder as people write them, and what is to be seen in the container that comes up from it,
 * whoever brings it up. Pure words: engines bring up, `outcome.ts` looks and compares.
 */

/** A text that is expected exactly, or that a pattern is found in. */
export type Expected = string | RegExp;

export interface Check {
  /** What is wrong when it fails. */
  readonly what: string;
  /** For `sh` in the container, as the user, in the workspace folder and its environment. */
  readonly run: string;
  /** Its output, without blanks around; anything when missing. */
  readonly prints?: Expected;
  /** Default: 0. */
  readonly code?: number;
}

/** Seen in the container and in the configuration that came up. */
export interface Expectation {
  /** Default: root. */
  readonly user?: string;
  /** Default: /root for root, else /home/<user>. */
  readonly home?: string;
  /** Default: /workspaces/<name of the folder>. */
  readonly workspaceFolder?: string;
  /** Variables of a process in the container. */
  readonly env?: Readonly<Record<string, Expected>>;
  /** Path in the container (relative to the workspace folder, or ~/…) → what is in it. */
  readonly files?: Readonly<Record<string, Expected>>;
  /** Where something is mounted. */
  readonly mounts?: readonly string[];
  readonly checks?: readonly Check[];
  /** Ports that answer HTTP to the computer that the engine runs on → what they say. */
  readonly published?: Readonly<Record<number, Expected>>;
  /** Of the merged configuration; in any order, others may be there. */
  readonly extensions?: readonly string[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly forwardPorts?: readonly (number | string)[];
  /** It doesn't come up, and this is said. */
  readonly fails?: RegExp;
}

export interface Case {
  /** Also the name of its folder, so also of the VM and in `${localWorkspaceFolderBasename}`. */
  readonly name: string;
  /** What kind of file it stands for. */
  readonly about: string;
  /** A folder below `folders/` that is copied first. */
  readonly folder?: string;
  /** Path → text, or the bytes themselves; scripts (`.sh`) can be executed. */
  readonly files?: Readonly<Record<string, string>>;
  /** Files of the computer outside of the workspace; `CASE_HOST` says where their folder is. */
  readonly hostFiles?: Readonly<Record<string, string>>;
  /** Relative path of the configuration, where there are several. */
  readonly config?: string;
  /** Variables that whoever brings it up has. */
  readonly localEnv?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** A folder that becomes a git repository of dotfiles, path → text. */
  readonly dotfiles?: Readonly<Record<string, string>>;
  /** Its postAttachCommand is a server that never ends. */
  readonly endless?: boolean;
  /** What this computer must have, else the case is skipped for an engine that runs on it. */
  readonly needs?: "raised-limits";
  /** Where the reference is known to fail although the case means something sensible, and why. */
  readonly referenceFails?: string;
  readonly expected: Expectation;
}

/** What a VM or container of the case is named after; short, as it becomes a host name. */
export function define(...cases: Case[]): readonly Case[] {
  return cases;
}

/** The text of a devcontainer.json. */
export const json = (value: object): string =>
  `${JSON.stringify(value, null, 2)}\n`;

/** A server in shell that answers each HTTP request on a port with one word, where `nc` of OpenBSD is there. */
export const server = (port: number, word: string): string =>
  `while true; do printf 'HTTP/1.0 200 OK\\r\\nContent-Length: ${String(word.length)}\\r\\n\\r\\n${word}' | nc -l -N ${String(port)} >/dev/null 2>&1 || sleep 0.2; done`;

/** Gets what such a server says, from inside, by perl, which every Debian has; tries for some seconds. */
export const get = (host: string, port: number): string =>
  `perl -MIO::Socket::INET -e 'for (1..50) { my $s = IO::Socket::INET->new(PeerAddr => "${host}", PeerPort => ${String(port)}, Timeout => 5); if ($s) { print $s "GET / HTTP/1.0\\r\\n\\r\\n"; local $/; my $t = <$s>; $t =~ s/.*?\\r\\n\\r\\n//s; print $t; exit 0 } select(undef, undef, undef, 0.2) } exit 1'`;
