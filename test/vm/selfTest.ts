import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Transcript } from "../../src/protocol/selfTest.ts";
import type { Tenants } from "./tenants.ts";

/** The self-test for Windows, of a guest that is none. */
export function describeSelfTest(the: () => Tenants): void {
  describe("the self-test", () => {
    test("fails exactly the lines of Windows, and its transcript holds no secrets", async () => {
      const { house, one } = the();
      const folder = await mkdtemp(join(tmpdir(), "selftest-"));
      try {
        const { exitCode, stdout, stderr } = await house.guesthouse([
          ...["selftest", one.name, "--out", folder, "--json"],
        ]);
        expect(stderr).toBe("");
        expect(exitCode).toBe(1);
        const transcript = JSON.parse(stdout) as Transcript;
        const ids = (holds: boolean): string[] =>
          transcript.lines
            .filter((line) => line.holds === holds)
            .map(({ id, reason }) => (holds ? `${id} ${reason ?? ""}` : id));
        expect(ids(true)).toEqual(
          transcript.lines
            .filter(({ system }) => system === "any")
            .map(({ id }) => `${id} `),
        );
        expect(ids(false).length).toBeGreaterThan(30);
        expect(transcript).toMatchObject({
          holds: false,
          guest: { id: "debian" },
          machine: { image: "debian-12", way: "cold" },
        });

        const names = (await readdir(folder)).sort();
        expect(names).toEqual([
          expect.stringMatching(/^guesthouse-selftest-.*\.json$/),
          expect.stringMatching(/^guesthouse-selftest-.*\.md$/),
        ]);
        const [json = "", page = ""] = await Promise.all(
          names.map((name) => readFile(join(folder, name), "utf8")),
        );
        expect(JSON.parse(json)).toMatchObject({ lines: transcript.lines });
        expect(page).toContain("✓ | `ssh.login`");
        for (const text of [json, page]) {
          expect(text).not.toContain(house.home);
          expect(text).not.toMatch(/PRIVATE KEY|ssh-ed25519/);
        }
        process.stdout.write(
          `self-test of a Linux guest: ${String(transcript.tookMs)} ms for ${String(transcript.lines.length)} lines\n`,
        );
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
}
