import { join } from "node:path";
import { namesIn, readIfPresent } from "../../../base/files.ts";
import {
  type AptSource,
  parseDeb822File,
  parseListFile,
} from "./aptSources.ts";

/** Where Debian's packages are fetched from. */
export interface Mirrors {
  /** Base URL that has `dists/<release>`. */
  readonly archive: string;
  /** Base URL that has `dists/<release>-security`. */
  readonly security: string;
  readonly origin: "host" | "public";
}

export const publicMirrors: Mirrors = {
  archive: "http://deb.debian.org/debian",
  security: "http://deb.debian.org/debian-security",
  origin: "public",
};

/**
 * Reads where this host gets its own packages from, in both of apt's styles, and picks what serves `release`. A host of
 * another Debian release has the same mirror under other suites; a host without Debian sources gets the public mirror.
 */
export async function readHostMirrors(
  release: string,
  aptFolder = "/etc/apt",
): Promise<Mirrors> {
  const parts = join(aptFolder, "sources.list.d");
  const sources = parseListFile(await text(join(aptFolder, "sources.list")));
  for (const name of await namesIn(parts)) {
    if (name.endsWith(".list"))
      sources.push(...parseListFile(await text(join(parts, name))));
    if (name.endsWith(".sources"))
      sources.push(...parseDeb822File(await text(join(parts, name))));
  }
  return chooseMirrors(sources, release);
}

/** Decides; see `readHostMirrors`. Only http and https can be reached from inside a machine later. */
export function chooseMirrors(
  sources: readonly AptSource[],
  release: string,
): Mirrors {
  const usable = sources.filter(
    ({ uri, components }) =>
      /^https?:\/\//.test(uri) && components.includes("main"),
  );
  const pick = (suite: string, folder: RegExp): string | undefined =>
    (
      usable.find(
        ({ suites, uri }) =>
          suites.includes(suite) && folder.test(withoutSlash(uri)),
      ) ?? usable.find(({ uri }) => folder.test(withoutSlash(uri)))
    )?.uri;
  const archive = pick(release, /\/debian$/);
  if (archive === undefined) return publicMirrors;
  return {
    archive: withoutSlash(archive),
    security: withoutSlash(
      pick(`${release}-security`, /\/(debian-security|security)$/) ??
        publicMirrors.security,
    ),
    origin: "host",
  };
}

/** The image's own `sources.list`, which the build uses too. */
export function sourcesList(mirrors: Mirrors, release: string): string {
  return [
    `deb ${mirrors.archive} ${release} main`,
    `deb ${mirrors.archive} ${release}-updates main`,
    `deb ${mirrors.security} ${release}-security main`,
    "",
  ].join("\n");
}

/**
 * The host's proxy settings out of `apt-config dump`, as apt.conf lines. Settings for single hosts (`…::Proxy::host`)
 * come along.
 */
export function proxySettings(aptConfigDump: string): string[] {
  return aptConfigDump
    .split("\n")
    .filter((line) =>
      /^Acquire::(http|https|ftp)::proxy(::\S+)? "[^"]+";$/i.test(line),
    );
}

/** apt's options during the build; none of them stays in the image. */
export function aptConf(proxies: readonly string[]): string {
  return [
    'APT::Install-Recommends "false";',
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    'Acquire::http::Timeout "30";',
    'Acquire::https::Timeout "30";',
    ...proxies,
    "",
  ].join("\n");
}

const withoutSlash = (uri: string): string => uri.replace(/\/+$/, "");

const text = async (path: string): Promise<string> =>
  (await readIfPresent(path)) ?? "";
