import { generateKeyPairSync, randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import ssh2 from "ssh2";
import {
  makePrivateFolder,
  readIfPresent,
  replaceFile,
} from "../../base/files.ts";
import { failed } from "../../protocol/failure.ts";
import type { SshFiles } from "../store/layout.ts";

/** An ed25519 pair; `privateKey` in OpenSSH's own format, `publicKey` as one line `ssh-ed25519 <base64> <comment>`. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** A fresh host key, made on the host so that the guest's identity is known before it ever boots (B23). */
export const generateHostKey = (comment = "guesthouse"): KeyPair =>
  generateKey(comment);

/**
 * The user's one key for all guests: made on first use in `<identity>` and `<identity>.pub` (0600 in a 0700 folder).
 * Fails with `ssh.configFailed` when the stored key can't be read as a key.
 */
export async function ensureUserKey(
  files: Pick<SshFiles, "folder" | "identity">,
): Promise<KeyPair> {
  await makePrivateFolder(files.folder);
  const stored = await readIfPresent(files.identity);
  if (stored === undefined) return createUserKey(files.identity);
  // OpenSSH ignores a private key that others can read.
  await chmod(files.identity, 0o600);
  const publicKey = publicKeyOf(stored, files.identity);
  if ((await readIfPresent(`${files.identity}.pub`)) === undefined)
    await replaceFile(`${files.identity}.pub`, `${publicKey}\n`);
  return { privateKey: stored, publicKey };
}

async function createUserKey(path: string): Promise<KeyPair> {
  const pair = generateKey("guesthouse");
  await replaceFile(`${path}.pub`, `${pair.publicKey}\n`);
  await replaceFile(path, pair.privateKey);
  return pair;
}

const keyType = "ssh-ed25519";

/**
 * Written out here because ssh2's own generator drops a leading zero byte, which makes one key in 256 or so unreadable.
 * Format: OpenSSH's PROTOCOL.key, and RFC 8709 for the public half.
 */
function generateKey(comment: string): KeyPair {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({
    format: "jwk",
  });
  const secret = Buffer.from(jwk.d ?? "", "base64url");
  const point = Buffer.from(jwk.x ?? "", "base64url");
  const publicBlob = Buffer.concat([text(keyType), field(point)]);
  // The same number twice shows a reader that a passphrase was right; there is none here.
  const check = randomBytes(4);
  const secrets = Buffer.concat([
    check,
    check,
    publicBlob,
    field(Buffer.concat([secret, point])),
    text(comment),
  ]);
  const blob = Buffer.concat([
    Buffer.from("openssh-key-v1\0", "latin1"),
    text("none"),
    text("none"),
    text(""),
    Buffer.from([0, 0, 0, 1]),
    field(publicBlob),
    field(padded(secrets)),
  ]);
  const body = blob.toString("base64").replace(/.{1,70}/g, "$&\n");
  return {
    privateKey: `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}-----END OPENSSH PRIVATE KEY-----\n`,
    publicKey: `${keyType} ${publicBlob.toString("base64")} ${comment}`,
  };
}

/** A string as SSH writes it: length, then bytes (RFC 4251, section 5). */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const text = (value: string): Buffer => field(Buffer.from(value, "utf8"));

/** To a multiple of the block size of "no cipher", with 1, 2, 3, … */
function padded(bytes: Buffer): Buffer {
  const missing = (8 - (bytes.length % 8)) % 8;
  return Buffer.concat([
    bytes,
    Buffer.from(Array.from({ length: missing }, (_, i) => i + 1)),
  ]);
}

function publicKeyOf(privateKey: string, path: string): string {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error)
    throw failed(
      "ssh.configFailed",
      `The SSH key ${path} can't be read: ${parsed.message}.`,
      {
        remedy:
          "Move the file away; a new key is made, and machines made before need to be created anew.",
        cause: parsed,
      },
    );
  const comment = parsed.comment === "" ? "" : ` ${parsed.comment}`;
  return `${parsed.type} ${parsed.getPublicSSH().toString("base64")}${comment}`;
}

/** Type and base64 body of a public key line; what two keys are compared by. */
export function publicKeyBody(publicKey: string): {
  readonly type: string;
  readonly base64: string;
} {
  const [type, base64] = publicKey.trim().split(/\s+/);
  if (type === undefined || base64 === undefined)
    throw failed(
      "ssh.configFailed",
      `“${publicKey.slice(0, 40)}” is not a public SSH key.`,
      { remedy: "Delete the machine and create it anew." },
    );
  return { type, base64 };
}
