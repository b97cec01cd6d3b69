import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { eventually } from "./household.ts";
import type { Tenants } from "./tenants.ts";

/** What any program that speaks to OpenSSH may expect of a running machine. */
export function describeOpenSsh(the: () => Tenants): void {
  const house = () => the().house;
  const one = () => the().one;
  const two = () => the().two;

  describe("plain OpenSSH with the written config (B23, B25)", () => {
    test("a command without a prompt, its exit code and streams", async () => {
      expect((await house().ssh(one().alias, ["true"])).exitCode).toBe(0);
      const { exitCode, stdout, stderr } = await house().ssh(one().alias, [
        "echo out; echo err >&2; exit 7",
      ]);
      expect({ exitCode, stdout, stderr }).toEqual({
        exitCode: 7,
        stdout: "out",
        stderr: "err",
      });
    });

    test("guesthouse ssh has the command's streams and exit code, too", async () => {
      const { exitCode, stdout } = await house().guesthouse([
        "ssh",
        "one",
        "--",
        "echo out; exit 5",
      ]);
      expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "out" });
    });

    test("a PTY", async () => {
      expect(
        (await house().ssh(one().alias, ["tty"], ["-tt"])).stdout.trim(),
      ).toMatch(/^\/dev\/pts\//);
    });

    test("scp and guesthouse cp, there and back", async () => {
      const folder = await mkdtemp(join(tmpdir(), "gh-copy-"));
      try {
        const content = randomBytes(300_000);
        await writeFile(join(folder, "a.bin"), content);
        await execa("scp", [
          "-q",
          "-F",
          house().sshConfig,
          join(folder, "a.bin"),
          `${one().alias}:a.bin`,
        ]);
        await house().json(["cp", "one:a.bin", join(folder, "b.bin")]);
        expect((await readFile(join(folder, "b.bin"))).equals(content)).toBe(
          true,
        );
        await house().json(["cp", join(folder, "b.bin"), "one:c.bin"]);
        await execa("scp", [
          "-q",
          "-F",
          house().sshConfig,
          `${one().alias}:c.bin`,
          join(folder, "d.bin"),
        ]);
        expect((await readFile(join(folder, "d.bin"))).equals(content)).toBe(
          true,
        );
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test("a forwarded port", async () => {
      const socket = join(house().home, "forward.sock");
      const forward = execa(
        "ssh",
        [
          "-F",
          house().sshConfig,
          "-N",
          "-o",
          "ExitOnForwardFailure=yes",
          "-L",
          `${socket}:127.0.0.1:22`,
          one().alias,
        ],
        { reject: false },
      );
      try {
        const banner = await eventually(
          "the forwarded banner",
          20_000,
          async () => {
            const { stdout } = await execa(
              "timeout",
              [
                "5",
                "bash",
                "-c",
                `exec 3<>/dev/null; python3 -c "import socket;s=socket.socket(socket.AF_UNIX);s.connect('${socket}');print(s.recv(8).decode())"`,
              ],
              { reject: false },
            );
            return stdout === "" ? undefined : stdout;
          },
        );
        expect(banner).toMatch(/^SSH-2\.0-/);
      } finally {
        forward.kill();
        await forward;
      }
    });

    test("a swapped host key is refused", async () => {
      const path = join(house().home, "ssh", "known_hosts");
      const before = await readFile(path, "utf8");
      const keys = new Map(
        before
          .trim()
          .split("\n")
          .map((line) => [
            line.split(" ")[0]!,
            line.split(" ").slice(1).join(" "),
          ]),
      );
      await writeFile(
        path,
        `${one().alias} ${keys.get(two().alias)!}\n${two().alias} ${keys.get(one().alias)!}\n`,
        { mode: 0o600 },
      );
      try {
        const { exitCode, stderr } = await house().ssh(one().alias, ["true"]);
        expect(exitCode).toBe(255);
        expect(stderr).toMatch(/host key verification failed/i);
      } finally {
        await writeFile(path, before, { mode: 0o600 });
      }
      expect((await house().ssh(one().alias, ["true"])).exitCode).toBe(0);
    });
  });
}
