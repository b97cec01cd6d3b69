import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { given } from "../../base/given.ts";
import { failed, refused } from "../../protocol/failure.ts";

export type Algorithm = "sha256" | "sha512";

export interface Checksum {
  readonly algorithm: Algorithm;
  /** Lower case. */
  readonly hex: string;
}

const hexLength: Readonly<Record<Algorithm, number>> = {
  sha256: 64,
  sha512: 128,
};

/**
 * Finds the one digest of `fileName` in a published list. Knows the formats of coreutils (`<hex>  name`,
 * `<hex> *name`; Debian, Ubuntu), of BSD (`SHA256 (name) = <hex>`; Fedora, inside a PGP-signed text) and a file
 * that holds nothing but the digest (Alpine).
 * Undefined when it is not listed, listed for another algorithm only, or listed twice with different digests: callers
 * fail closed.
 */
export function findChecksum(
  list: string,
  fileName: string,
  algorithm: Algorithm,
): string | undefined {
  const isDigest = (text: string | undefined): text is string =>
    text?.length === hexLength[algorithm] && /^[0-9a-f]+$/i.test(text);
  const found = new Set<string>();
  const add = (hex: string | undefined, name: string | undefined): void => {
    if (isDigest(hex) && name?.replace(/^\.\//, "") === fileName)
      found.add(hex.toLowerCase());
  };
  if (isDigest(list.trim())) return list.trim().toLowerCase();
  for (const line of list.split(/\r?\n/)) {
    const bsd = /^(\S+) \((.+)\) = (\S+)\s*$/.exec(line);
    if (bsd !== null) {
      if (bsd[1]?.replace("-", "").toLowerCase() === algorithm)
        add(bsd[3], bsd[2]);
      continue;
    }
    const coreutils = /^(\S+) [ *](.+?)\s*$/.exec(line);
    add(coreutils?.[1], coreutils?.[2]);
  }
  const [hex] = found;
  return found.size === 1 ? hex : undefined;
}

/** Reads `sha256:<hex>` or `sha512:<hex>`; bare digests are told apart by their length. Refuses anything else. */
export function parseChecksum(text: string): Checksum {
  const [, named, hex] =
    /^(?:(sha256|sha512):)?([0-9a-f]+)$/.exec(text.trim().toLowerCase()) ?? [];
  const algorithm = (["sha256", "sha512"] as const).find(
    (candidate) =>
      hexLength[candidate] === hex?.length &&
      (named === undefined || named === candidate),
  );
  if (algorithm === undefined || hex === undefined)
    throw refused(
      "request.invalid",
      `“${text.slice(0, 80)}” is not a checksum.`,
      {
        remedy:
          "Give it as sha256: with 64 or sha512: with 128 hexadecimal digits.",
      },
    );
  return { algorithm, hex };
}

/** Digest of a whole file, lower-case hex. `onProgress` gets the bytes read so far. */
export async function fileDigest(
  path: string,
  algorithm: Algorithm,
  onProgress?: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  const hash = createHash(algorithm);
  let bytes = 0;
  const content = createReadStream(path, {
    highWaterMark: 1024 * 1024,
    ...given({ signal }),
  });
  for await (const chunk of content as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    onProgress?.(bytes);
  }
  return hash.digest("hex");
}

export interface FileToVerify {
  readonly path: string;
  readonly expected: Checksum;
  /** Names the file in the message. */
  readonly what: string;
}

/** Throws `images.digestMismatch`. */
export async function verifyFile(
  { path, expected, what }: FileToVerify,
  onProgress?: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const actual = await fileDigest(path, expected.algorithm, onProgress, signal);
  if (actual === expected.hex) return;
  throw failed(
    "images.digestMismatch",
    `${what} is not what was published: its ${expected.algorithm} is ${short(actual)}, but ${short(expected.hex)} was expected. It was not used.`,
    {
      remedy:
        "Try again; if it stays so, the file or the connection to its publisher was tampered with or is broken.",
      actions: ["retry"],
    },
  );
}

const short = (hex: string): string => `${hex.slice(0, 12)}…${hex.slice(-4)}`;
