import { execa } from "execa";
import {
  chmod,
  lstat,
  mkdir,
  readFile,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSshConfig } from "../../../src/helper/ssh/config.ts";
import { includeConfig, isIncluded } from "../../../src/helper/ssh/include.ts";
import { pinHostKey } from "../../../src/helper/ssh/knownHosts.ts";
import { writeLauncher } from "../../../src/helper/ssh/launcher.ts";
import { layoutOf, type SshFiles } from "../../../src/helper/store/layout.ts";
import { freePort, missing, startSshd, type RealSshd } from "./realSshd.ts";

/** Stands in for `guesthouse proxy`: the launcher, its quoting and the config around it are the real ones. */
const proxy = (port: number): string => `
  const expected = ["proxy", "gh-box"];
  if (process.argv.slice(2).join() !== expected.join() || process.env.MARK !== "it's 100% $x") process.exit(9);
  const socket = require("node:net").connect(${String(port)}, "127.0.0.1");
  process.stdin.pipe(socket).pipe(process.stdout);
`;

describe.skipIf(missing)(
  `the plain OpenSSH client with the written config (skipped where ${missing ?? "it is missing"})`,
  () => {
    let sshd: RealSshd;
    let files: SshFiles;
    let userConfig: string;
    const ssh = (...args: string[]) =>
      execa("ssh", ["-F", userConfig, ...args], {
        reject: false,
        stdin: "ignore",
      });

    beforeAll(async () => {
      sshd = await startSshd();
      const home = join(sshd.folder, "data dir 100% it's");
      files = layoutOf(home).ssh;
      await mkdir(files.folder, { recursive: true, mode: 0o700 });
      await writeFile(files.identity, sshd.userKey.privateKey, { mode: 0o600 });
      const program = join(home, "proxy.cjs");
      await writeFile(program, proxy(sshd.port));
      await writeLauncher(files, {
        command: [process.execPath, program],
        env: { MARK: "it's 100% $x" },
      });
      await writeSshConfig(files, [
        { alias: "gh-box", user: sshd.user, agentForwarding: false },
        { alias: "gh-agent", user: "dev", agentForwarding: true },
        { alias: "gh-other", user: sshd.user, agentForwarding: false },
      ]);
      await pinHostKey(files.knownHosts, "gh-box", sshd.hostKey.publicKey);
      userConfig = join(sshd.folder, "dot ssh", "config");
      await includeConfig({
        configFile: userConfig,
        include: files.config,
        wanted: true,
        aliases: ["gh-box", "gh-agent"],
      });
    });
    afterAll(() => sshd.close());

    test("ssh runs a command without a question", async () => {
      expect(await ssh("gh-box", "echo hello; exit 4")).toMatchObject({
        exitCode: 4,
        stdout: "hello",
        stderr: "",
      });
    });

    test("scp and a PTY work", async () => {
      const from = join(sshd.folder, "from.txt");
      const to = join(sshd.folder, "to.txt");
      await writeFile(from, "content");
      await execa("scp", ["-F", userConfig, from, `gh-box:${to}`], {
        stdin: "ignore",
      });
      expect(await readFile(to, "utf8")).toBe("content");
      expect((await ssh("-tt", "gh-box", "tty")).stdout).toMatch(/^\/dev\//);
    });

    test("B25: a forwarded port carries bytes", async () => {
      const port = await freePort();
      const forward = execa(
        "ssh",
        [
          ...["-F", userConfig, "-N", "-o", "ExitOnForwardFailure=yes"],
          ...["-L", `${String(port)}:127.0.0.1:${String(sshd.port)}`, "gh-box"],
        ],
        { reject: false, stdin: "ignore" },
      );
      try {
        expect(await firstBytes(port)).toMatch(/^SSH-2\.0-OpenSSH/);
      } finally {
        forward.kill();
        await forward;
      }
    });

    test("ssh -G shows what was meant", async () => {
      const { stdout } = await ssh("-G", "gh-box");
      const lines = stdout.split("\n");
      expect(lines).toContain("stricthostkeychecking true");
      expect(lines).toContain("hostkeyalias gh-box");
      expect(lines).toContain(`user ${sshd.user}`);
      expect(lines).toContain("identitiesonly yes");
      expect(lines).toContain("forwardagent no");
      expect(lines).toContain(`userknownhostsfile ${files.knownHosts}`);
      expect((await ssh("-G", "gh-agent")).stdout).toContain(
        "forwardagent yes",
      );
      expect((await ssh("-G", "elsewhere")).stdout).not.toContain(files.folder);
    });

    test.each(["%r@%h:%p", "%C"])(
      "a user's `Host *` with shared connections at %s mixes no VMs up, and changes nothing else that counts (F3)",
      async (path) => {
        const mine = join(sshd.folder, "mine");
        const own = await readFile(userConfig, "utf8");
        await writeFile(
          mine,
          `${own}
Host *
  ControlMaster auto
  ControlPersist 30
  ControlPath ${sshd.folder}/c-${path}
  RemoteCommand echo hijacked
  RequestTTY force
  ConnectTimeout 1
  CanonicalizeHostname always
  CanonicalDomains example.com
  HostKeyAlgorithms ssh-rsa
  PubkeyAcceptedKeyTypes ssh-rsa
`,
        );
        const shared = (...args: string[]) =>
          execa("ssh", ["-F", mine, ...args], {
            ...{ reject: false, stdin: "ignore" },
            // The master keeps standard error open.
            stderr: "ignore",
          });
        expect(
          await shared("gh-box", "test -t 0 || echo without a terminal"),
        ).toMatchObject({ exitCode: 0, stdout: "without a terminal" });
        expect((await shared("-O", "check", "gh-box")).exitCode).toBe(0);
        expect((await shared("-O", "check", "gh-other")).exitCode).toBe(255);
        await shared("-O", "exit", "gh-box");
        const { stdout } = await shared("-G", "gh-box");
        expect(stdout).toMatch(/^connecttimeout 900$/m);
        expect(stdout).not.toMatch(/hijacked|ssh-rsa$/m);
      },
    );

    test("B23: the user's own known_hosts is not touched, ours not written by ssh", async () => {
      const before = await readFile(files.knownHosts, "utf8");
      await ssh("gh-box", "true");
      expect(await readFile(files.knownHosts, "utf8")).toBe(before);
    });

    test("B23: a swapped host key is refused", async () => {
      await sshd.swapHostKey();
      const refused = await ssh("gh-box", "true");
      expect(refused.exitCode).toBe(255);
      expect(refused.stderr).toMatch(/verification failed/i);
    });
  },
);

describe.skipIf(missing)(
  `the Include line (skipped where ${missing ?? "OpenSSH is missing"})`,
  () => {
    let sshd: RealSshd;
    let include: string;
    beforeAll(async () => {
      sshd = await startSshd();
      const { ssh } = layoutOf(join(sshd.folder, "home"));
      include = ssh.config;
      await writeSshConfig(ssh, [
        { alias: "gh-box", user: "dev", agentForwarding: false },
      ]);
    });
    afterAll(() => sshd.close());
    const at = (name: string): string => join(sshd.folder, name);
    const want = (configFile: string, wanted = true) =>
      includeConfig({ configFile, include, wanted, aliases: ["gh-box"] });

    test("B24: a new file is 0600 in a 0700 folder", async () => {
      const path = join(at("new"), "config");
      expect(await want(path)).toEqual({
        included: true,
        changed: true,
        configFile: path,
      });
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await stat(at("new"))).mode & 0o777).toBe(0o700);
      expect(await isIncluded(include, path)).toBe(true);
    });

    test("B24: idempotent, removable, the mode and the rest preserved", async () => {
      const path = at("config-mode");
      const text = "Host *\n  ServerAliveInterval 5\n";
      await writeFile(path, text);
      await chmod(path, 0o644);
      expect((await want(path)).changed).toBe(true);
      expect((await want(path)).changed).toBe(false);
      expect((await stat(path)).mode & 0o777).toBe(0o644);
      // Ours comes first, so ours counts, although the user's `Host *` says otherwise.
      const { stdout } = await execa("ssh", ["-F", path, "-G", "gh-box"]);
      expect(stdout).toContain("serveraliveinterval 15\n");
      expect((await want(path, false)).changed).toBe(true);
      expect(await readFile(path, "utf8")).toBe(text);
      expect(await isIncluded(include, path)).toBe(false);
    });

    test("B24: a link stays a link, the file behind it is changed", async () => {
      await mkdir(at("dotfiles"));
      await writeFile(join(at("dotfiles"), "real"), "# mine\n");
      await symlink(join(at("dotfiles"), "real"), at("linked"));
      await want(at("linked"));
      expect((await lstat(at("linked"))).isSymbolicLink()).toBe(true);
      expect(await readFile(join(at("dotfiles"), "real"), "utf8")).toContain(
        "Include",
      );
    });

    test("F31: what can't be the config is refused in words, and left as it is", async () => {
      await mkdir(at("folder"));
      await symlink(join(at("nowhere"), "config"), at("dangling"));
      await symlink(at("circle"), at("circle"));
      for (const [name, why] of [
        ["folder", /is no file/],
        ["dangling", /leads nowhere/],
        ["circle", /leads back to itself/],
      ] as const)
        await expect(want(at(name))).rejects.toMatchObject({
          failure: {
            code: "ssh.configFailed",
            message: expect.stringMatching(why) as string,
          },
        });
      expect((await lstat(at("dangling"))).isSymbolicLink()).toBe(true);
    });

    test("F31: a usual config that ssh refuses for its permissions isn't said to include anything", async () => {
      const path = at("open");
      await writeFile(path, "# mine\n");
      await chmod(path, 0o666);
      const wish = { configFile: path, include, wanted: true };
      await expect(
        includeConfig({ ...wish, isUsual: true }),
      ).rejects.toMatchObject({
        failure: { code: "ssh.configFailed", remedy: `chmod go-w ${path}` },
      });
      expect(await readFile(path, "utf8")).toBe("# mine\n");
      // With -F ssh takes any file.
      expect(
        (await includeConfig({ ...wish, aliases: ["gh-box"] })).changed,
      ).toBe(true);
      expect(await isIncluded(include, path)).toBe(true);
      expect(await isIncluded(include, path, true)).toBe(false);
      expect(await isIncluded(include, at("folder"))).toBe(false);
    });

    test("B24: a file that ssh doesn't take is given back as it was", async () => {
      const path = at("broken");
      const text = "Host x\n  NoSuchOption yes\n";
      await writeFile(path, text);
      await expect(want(path)).rejects.toMatchObject({
        failure: { code: "ssh.configFailed" },
      });
      expect(await readFile(path, "utf8")).toBe(text);
    });
  },
);

async function firstBytes(port: number): Promise<string> {
  for (let i = 0; i < 100; i++) {
    const bytes = await new Promise<string | undefined>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("data", (chunk) => {
        resolve(chunk.toString());
        socket.destroy();
      });
      socket.once("error", () => resolve(undefined));
    });
    if (bytes !== undefined) return bytes;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("nothing came");
}
