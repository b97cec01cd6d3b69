import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  fileDigest,
  findChecksum,
  parseChecksum,
  verifyFile,
} from "../../../../src/helper/net/checksums.ts";

const a = "a".repeat(64);
const b = "b".repeat(64);
const long = "c".repeat(128);

describe("findChecksum", () => {
  it.each([
    ["coreutils text", `${b}  other.img\n${a}  disk.img\n`],
    ["coreutils binary, as Ubuntu writes it", `${b} *other\n${a} *disk.img\n`],
    ["with a leading ./", `${a}  ./disk.img\n`],
    ["Windows line ends", `${a}  disk.img\r\n`],
    [
      "Fedora's signed list",
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# disk.img: 12 bytes\nSHA256 (disk.img) = ${a}\n-----BEGIN PGP SIGNATURE-----\niQIz\n-----END PGP SIGNATURE-----\n`,
    ],
    ["nothing but the digest", `${a}\n`],
    ["upper case", `${a.toUpperCase()}  disk.img\n`],
    ["the same line twice", `${a}  disk.img\n${a}  disk.img\n`],
  ])("reads %s", (_what, list) => {
    expect(findChecksum(list, "disk.img", "sha256")).toBe(a);
  });

  it.each([
    ["another file only", `${a}  disk.img.zip\n`],
    ["the name as a part of another", `${a}  old-disk.img\n`],
    ["a digest of another length", `${long}  disk.img\n`],
    ["another algorithm", `SHA512 (disk.img) = ${a}\n`],
    ["contradiction (B26)", `${a}  disk.img\n${b}  disk.img\n`],
    ["an error page", "<html><body>404 disk.img</body></html>"],
    ["a digest that is not hexadecimal", `${"g".repeat(64)}  disk.img\n`],
    ["nothing", ""],
  ])("finds none in %s", (_what, list) => {
    expect(findChecksum(list, "disk.img", "sha256")).toBeUndefined();
  });

  it("tells algorithms apart", () => {
    expect(findChecksum(`${long}  disk.img\n`, "disk.img", "sha512")).toBe(
      long,
    );
  });
});

describe("parseChecksum", () => {
  it("takes the algorithm from the prefix or the length", () => {
    expect(parseChecksum(`sha256:${a}`)).toEqual({
      algorithm: "sha256",
      hex: a,
    });
    expect(parseChecksum(` SHA512:${long.toUpperCase()} `)).toEqual({
      algorithm: "sha512",
      hex: long,
    });
    expect(parseChecksum(a).algorithm).toBe("sha256");
  });

  it.each([
    "",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    `sha512:${a}`,
    "sha256:zz",
  ])("refuses %s", (text) => {
    expect(() => parseChecksum(text)).toThrow(/is not a checksum/);
  });
});

describe("fileDigest and verifyFile", () => {
  const folders: string[] = [];
  afterEach(async () => {
    for (const folder of folders.splice(0))
      await rm(folder, { recursive: true });
  });
  const fileOf = async (content: Buffer): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), "gh-sums-"));
    folders.push(folder);
    const path = join(folder, "file");
    await writeFile(path, content);
    return path;
  };

  it("digests the whole file and tells how far it is", async () => {
    const content = Buffer.alloc(3_000_000, "xyz");
    const seen: number[] = [];
    const hex = await fileDigest(await fileOf(content), "sha512", (bytes) =>
      seen.push(bytes),
    );
    expect(hex).toBe(createHash("sha512").update(content).digest("hex"));
    expect(seen.at(-1)).toBe(content.length);
    expect(seen.length).toBeGreaterThan(1);
  });

  it("ends when cancelled", async () => {
    const path = await fileOf(Buffer.alloc(3_000_000));
    const controller = new AbortController();
    await expect(
      fileDigest(path, "sha256", () => controller.abort(), controller.signal),
    ).rejects.toThrow(/abort/i);
  });

  it("fails closed on a difference (B26)", async () => {
    const path = await fileOf(Buffer.from("tampered"));
    await expect(
      verifyFile({
        path,
        expected: { algorithm: "sha256", hex: a },
        what: "disk.img",
      }),
    ).rejects.toMatchObject({
      failure: {
        kind: "failed",
        code: "images.digestMismatch",
        remedy: expect.any(String),
      },
    });
  });
});
