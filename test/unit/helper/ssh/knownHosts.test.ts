import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  pinHostKey,
  pinnedHostKey,
  unpinHost,
} from "../../../../src/helper/ssh/knownHosts.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "known-"));
  path = join(folder, "ssh", "known_hosts");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("B23: a pinned key stands under its alias, 0600 in a 0700 folder, without the key's comment", async () => {
  await pinHostKey(path, "guesthouse-a", "ssh-ed25519 AAAA comment");
  expect(await readFile(path, "utf8")).toBe("guesthouse-a ssh-ed25519 AAAA\n");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, "ssh"))).mode & 0o777).toBe(0o700);
  expect(await pinnedHostKey(path, "guesthouse-a")).toBe("ssh-ed25519 AAAA");
});

test("B23: pinning again replaces the alias's key and no other line", async () => {
  await pinHostKey(path, "a", "ssh-ed25519 AAAA");
  await pinHostKey(path, "a-b", "ssh-ed25519 BBBB");
  await pinHostKey(path, "a", "ssh-ed25519 CCCC");
  expect((await readFile(path, "utf8")).trim().split("\n").sort()).toEqual([
    "a ssh-ed25519 CCCC",
    "a-b ssh-ed25519 BBBB",
  ]);
});

test("B23: forgetting a machine removes its lines only", async () => {
  await pinHostKey(path, "a", "ssh-ed25519 AAAA");
  await pinHostKey(path, "ab", "ssh-ed25519 BBBB");
  await unpinHost(path, "a");
  expect(await readFile(path, "utf8")).toBe("ab ssh-ed25519 BBBB\n");
  await unpinHost(path, "never-there");
  expect(await pinnedHostKey(path, "a")).toBeUndefined();
});

test("B19: fifty pins at once all stay", async () => {
  const aliases = Array.from({ length: 50 }, (_, i) => `m${String(i)}`);
  await Promise.all(
    aliases.map((alias) => pinHostKey(path, alias, `ssh-ed25519 K${alias}`)),
  );
  expect((await readFile(path, "utf8")).trim().split("\n")).toHaveLength(50);
});

test("what is no public key is refused and nothing written", async () => {
  await pinHostKey(path, "a", "ssh-ed25519 AAAA");
  expect(() => pinHostKey(path, "b", "garbage")).toThrow(
    /not a public SSH key/,
  );
  expect(await readFile(path, "utf8")).toBe("a ssh-ed25519 AAAA\n");
});

test("lines that somebody else wrote stay as they are", async () => {
  await pinHostKey(path, "a", "ssh-ed25519 AAAA");
  await writeFile(path, "# mine\n@revoked x ssh-rsa Q\na ssh-ed25519 AAAA\n");
  await unpinHost(path, "a");
  expect(await readFile(path, "utf8")).toBe("# mine\n@revoked x ssh-rsa Q\n");
});
