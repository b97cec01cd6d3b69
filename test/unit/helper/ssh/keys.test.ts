import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ensureUserKey,
  generateHostKey,
  publicKeyBody,
} from "../../../../src/helper/ssh/keys.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "keys-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a host key is OpenSSH text whose public half belongs to its private half", () => {
  for (let i = 0; i < 300; i++) {
    const { privateKey, publicKey } = generateHostKey("box");
    expect(privateKey).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    const parsed = ssh2.utils.parseKey(privateKey);
    if (parsed instanceof Error) throw parsed;
    expect(parsed.getPublicSSH().toString("base64")).toBe(
      publicKeyBody(publicKey).base64,
    );
    const signature = parsed.sign("something");
    if (signature instanceof Error) throw signature;
    expect(parsed.verify("something", signature)).toBe(true);
  }
});

test("no two host keys are the same", () => {
  expect(generateHostKey().publicKey).not.toBe(generateHostKey().publicKey);
});

test("the user's key is made once, 0600 in a 0700 folder, and found again", async () => {
  const files = {
    folder: join(folder, "ssh"),
    identity: join(folder, "ssh", "id"),
  };
  const first = await ensureUserKey(files);
  expect(await ensureUserKey(files)).toEqual(first);
  expect((await stat(files.identity)).mode & 0o777).toBe(0o600);
  expect((await stat(files.folder)).mode & 0o777).toBe(0o700);
  expect(await readFile(`${files.identity}.pub`, "utf8")).toBe(
    `${first.publicKey}\n`,
  );
});

test("a lost public half is written again", async () => {
  const files = { folder, identity: join(folder, "id") };
  const { publicKey } = await ensureUserKey(files);
  await rm(`${files.identity}.pub`);
  await ensureUserKey(files);
  expect(await readFile(`${files.identity}.pub`, "utf8")).toBe(
    `${publicKey}\n`,
  );
});

test("a key file that is no key is named, not replaced", async () => {
  const files = { folder, identity: join(folder, "id") };
  await writeFile(files.identity, "garbage");
  await expect(ensureUserKey(files)).rejects.toMatchObject({
    failure: { code: "ssh.configFailed", kind: "failed" },
  });
  expect(await readFile(files.identity, "utf8")).toBe("garbage");
});
