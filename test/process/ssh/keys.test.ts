import { execa } from "execa";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { generateHostKey } from "../../../src/helper/ssh/keys.ts";
import { pinHostKey } from "../../../src/helper/ssh/knownHosts.ts";
import { missing } from "./realSshd.ts";

test.skipIf(missing)(
  `OpenSSH reads our keys and finds pinned ones (skipped where ${missing ?? "it is missing"})`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "keys-"));
    try {
      for (let i = 0; i < 20; i++) {
        const { privateKey, publicKey } = generateHostKey("a comment");
        const path = join(folder, `key${String(i)}`);
        await writeFile(path, privateKey, { mode: 0o600 });
        const { stdout } = await execa("ssh-keygen", ["-y", "-f", path]);
        expect(stdout).toBe(publicKey);
      }
      const known = join(folder, "known_hosts");
      const { publicKey } = generateHostKey();
      await pinHostKey(known, "guesthouse-x", publicKey);
      const found = await execa("ssh-keygen", [
        "-F",
        "guesthouse-x",
        "-f",
        known,
      ]);
      expect(found.stdout).toContain(publicKey.split(" ")[1]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
