import { basename } from "node:path";
import { type GuesthouseError, failed } from "../../../protocol/failure.ts";

/**
 * Names the cause of a tool's failure by what it printed. `host.diskFull` and the reasons of apt are told apart, since
 * the remedies differ; the rest is `images.buildFailed` with the tool's own last words.
 */
export function toolFailure(
  file: string,
  exitCode: number | undefined,
  lines: readonly string[],
  cause?: unknown,
): GuesthouseError {
  const tool = basename(file);
  const said = (pattern: RegExp): string | undefined =>
    lines.findLast((line) => pattern.test(line))?.trim();
  const options = cause === undefined ? {} : { cause };

  const full = said(/no space left on device|disk quota exceeded/i);
  if (full !== undefined)
    return failed(
      "host.diskFull",
      `The disk became full while building the image (${full}).`,
      {
        remedy:
          "Free about 4 GiB, or point GUESTHOUSE_HOME at a larger disk; then try again.",
        ...options,
      },
    );

  const unreachable = said(unreachablePattern);
  if (unreachable !== undefined)
    return failed(
      "images.buildFailed",
      `The package mirror can't be reached: ${unreachable}.`,
      {
        remedy:
          "Check the network and the proxy settings of apt (/etc/apt/apt.conf.d, http_proxy), then try again.",
        actions: ["retry", "showLog"],
        ...options,
      },
    );

  const untrusted = said(
    /NO_PUBKEY|signatures couldn't be verified|is not signed|BADSIG|EXPKEYSIG/,
  );
  if (untrusted !== undefined)
    return failed(
      "images.buildFailed",
      `The package mirror's signature can't be verified: ${untrusted}.`,
      {
        remedy:
          "Install or update Debian's keys with: sudo apt install debian-archive-keyring",
        ...options,
      },
    );

  const words =
    said(/^E: |error:|failed|cannot|can't|unable/i) ?? lines.findLast(Boolean);
  return failed(
    "images.buildFailed",
    `${tool} failed with ${exitCode === undefined ? "a signal" : `exit code ${exitCode}`}${words === undefined ? "" : `: ${words.trim()}`}.`,
    {
      remedy: "The log of the build has the details.",
      actions: ["showLog", "retry"],
      ...options,
    },
  );
}

/** What apt says when a mirror doesn't answer, or not with packages. */
export const unreachablePattern =
  /could not resolve|temporary failure resolving|could not connect|connection (failed|timed out|refused)|unable to connect|failed to fetch|does not have a release file|no longer has a release file/i;
