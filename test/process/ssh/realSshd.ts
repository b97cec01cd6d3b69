import { execa } from "execa";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { readBanner } from "../../../src/helper/ssh/banner.ts";
import { generateHostKey, type KeyPair } from "../../../src/helper/ssh/keys.ts";
import type { SshTarget } from "../../../src/helper/ssh/target.ts";

const sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find(existsSync);
const ssh = await execa("ssh", ["-V"], { reject: false });

/** Why the tests with OpenSSH's own programs can't run here; undefined when they can. */
export const missing: string | undefined =
  process.platform === "win32"
    ? "sshd is not run by ordinary users on Windows"
    : sshd === undefined
      ? "sshd is not installed"
      : ssh.exitCode !== 0
        ? "ssh is not installed"
        : undefined;

/** OpenSSH's own server for the user of the test, on a port of the loopback, with a folder of its own. */
export interface RealSshd {
  readonly folder: string;
  readonly port: number;
  readonly user: string;
  readonly userKey: KeyPair;
  readonly hostKey: KeyPair;
  readonly target: SshTarget;
  /** Puts another host key under a server on the same port. */
  swapHostKey(privateKey?: string): Promise<void>;
  /** Ends the server and its open connections' parent. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

/**
 * `wrap`: a program with arguments that runs the server's command line, such as unshare(1). `sftp`: the command line that
 * serves SFTP. `settings`: further lines of the server's configuration.
 */
export async function startSshd(
  wrap: readonly string[] = [],
  { sftp = "internal-sftp", settings = [] as readonly string[] } = {},
): Promise<RealSshd> {
  const folder = await mkdtemp(join(tmpdir(), "sshd-"));
  const userKey = generateHostKey("user");
  const hostKey = generateHostKey("host");
  const port = await freePort();
  const user = userInfo().username;
  const files = {
    config: join(folder, "sshd_config"),
    hostKey: join(folder, "host_key"),
    authorized: join(folder, "authorized_keys"),
  };
  await writeFile(files.hostKey, hostKey.privateKey, { mode: 0o600 });
  await writeFile(files.authorized, `${userKey.publicKey}\n`, { mode: 0o600 });
  await writeFile(
    files.config,
    [
      `ListenAddress 127.0.0.1:${String(port)}`,
      `HostKey ${files.hostKey}`,
      `AuthorizedKeysFile ${files.authorized}`,
      `PidFile ${join(folder, "pid")}`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin prohibit-password",
      "PasswordAuthentication no",
      `Subsystem sftp ${sftp}`,
      ...settings,
      "",
    ].join("\n"),
  );
  // Where its unprivileged part lives; an ordinary user's sshd has none.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  let server = await launch(files.config, port, wrap);
  return {
    folder,
    port,
    user,
    userKey,
    hostKey,
    target: {
      host: "127.0.0.1",
      port,
      user,
      privateKey: userKey.privateKey,
      hostKey: hostKey.publicKey,
    },
    async swapHostKey(privateKey = generateHostKey("swap").privateKey) {
      await end(server);
      await writeFile(files.hostKey, privateKey);
      server = await launch(files.config, port, wrap);
    },
    stop: () => end(server),
    async close() {
      await end(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(
  config: string,
  port: number,
  wrap: readonly string[],
): Promise<ChildProcess> {
  const [program = "sshd", ...args] = [
    ...wrap,
    ...[sshd ?? "sshd", "-D", "-e", "-f", config],
  ];
  const server = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  server.stderr.on("data", (chunk) => (words += String(chunk)));
  for (let i = 0; i < 100; i++) {
    if (server.exitCode !== null) break;
    if ((await readBanner("127.0.0.1", port, 200)) !== undefined) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  server.kill();
  throw new Error(`sshd did not come up: ${words}`);
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const gone = new Promise((resolve) => server.once("exit", resolve));
  server.kill();
  await gone;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve()),
  );
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server that serves connections itself, with a host key that need not be there yet. */
export async function sshdWithKey(hostKey: string): Promise<{
  readonly pid: number;
  /** The public half of the key that it shows to clients; undefined while it doesn't listen. */
  offeredKey(): Promise<string | undefined>;
  end(): Promise<void>;
}> {
  const port = await freePort();
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const server = spawn(
    sshd ?? "",
    [
      ...["-D", "-r", "-e", "-f", "/dev/null", "-h", hostKey],
      ...["-o", `ListenAddress=127.0.0.1:${String(port)}`],
      ...["-o", "PidFile=none"],
    ],
    { stdio: "ignore" },
  );
  return {
    pid: server.pid ?? 0,
    async offeredKey() {
      const { stdout } = await execa(
        "ssh-keyscan",
        ["-T", "2", "-t", "ed25519", "-p", String(port), "127.0.0.1"],
        { reject: false },
      );
      return /\S+ (ssh-ed25519 \S+)/.exec(stdout)?.[1];
    },
    end: () => end(server),
  };
}
