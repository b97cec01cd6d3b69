// A real Docker engine for the landing's tests: in a network and mount namespace of its own, with all files in one
// folder, and images made of this computer's own programs, so that nothing is downloaded.
import { execa } from "execa";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const programs: Readonly<Record<string, string>> = {
  dockerd: "docker.io",
  docker: "docker.io",
  runc: "runc",
  patchelf: "patchelf",
  gcc: "gcc libc6-dev",
  iptables: "iptables",
  rsync: "rsync",
  unshare: "util-linux",
};
const files: Readonly<Record<string, string>> = {
  "/usr/bin/python3": "python3",
  "/usr/sbin/sshd": "openssh-server",
  "/usr/lib/openssh/sftp-server": "openssh-sftp-server",
  "/usr/bin/ssh-agent": "openssh-client",
};

/** Why no engine can run here; undefined when one can. */
export async function engineMissing(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "only root on Linux can run a container engine";
  const lacking = Object.keys(files).filter((path) => !existsSync(path));
  const found = await Promise.all(
    Object.keys(programs).map(async (name) =>
      (await execa("which", [name], { reject: false })).exitCode === 0
        ? []
        : [name],
    ),
  );
  const packages = [
    ...lacking.map((path) => files[path]),
    ...found.flat().map((name) => programs[name]),
    ...(existsSync("/bin/busybox") ? [] : ["busybox-static"]),
  ];
  if (packages.length > 0)
    return `these packages are missing: ${[...new Set(packages)].join(" ")}`;
  const busybox = await execa(
    "patchelf",
    ["--print-interpreter", "/bin/busybox"],
    {
      reject: false,
    },
  );
  return busybox.exitCode === 0 ? "busybox isn't static" : undefined;
}

/** A running engine. */
export interface Engine {
  readonly folder: string;
  readonly socket: string;
  /** Runs the client; its standard output. */
  docker(...args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** Throws with the engine's last words when it can't run here. */
export async function startEngine(): Promise<Engine> {
  const folder = await mkdtemp(join(tmpdir(), "gh-landing-test-"));
  const socket = join(folder, "engine.sock");
  await writeFile(join(folder, "engine.json"), "{}");
  const command = [
    ...["exec", "/usr/sbin/dockerd", "--host", `unix://${socket}`],
    ...[
      "--data-root",
      join(folder, "data"),
      "--exec-root",
      join(folder, "exec"),
    ],
    ...["--pidfile", join(folder, "pid"), "--log-level", "error"],
    ...["--config-file", join(folder, "engine.json")],
  ].join(" ");
  const engine = spawn(
    "unshare",
    [
      ...["--net", "--mount", "--propagation", "private", "sh", "-c"],
      `ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward && ${command}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let words = "";
  engine.stderr.on("data", (chunk) => (words += String(chunk)));
  const client = async (...args: readonly string[]) =>
    (await execa("docker", ["--host", `unix://${socket}`, ...args])).stdout;
  const close = async () => {
    await end(engine);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (let i = 0; i < 300 && engine.exitCode === null; i++) {
    const up = await client("version").catch(() => undefined);
    if (up !== undefined) return { folder, socket, docker: client, close };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await close();
  throw new Error(words.trim().split("\n").at(-1));
}

async function end(engine: ChildProcess): Promise<void> {
  if (engine.exitCode !== null || engine.signalCode !== null) return;
  const gone = new Promise((resolve) => engine.once("exit", resolve));
  engine.kill("SIGTERM");
  await gone;
}

/** Makes the images `glibc` (bash, users, this computer's programs), `busybox` and `distroless`. */
export async function makeImages(engine: Engine): Promise<void> {
  const trees = join(engine.folder, "trees");
  await glibcTree(join(trees, "glibc"));
  await busyboxTree(join(trees, "busybox"));
  await mkdir(join(trees, "distroless", "www"), { recursive: true });
  await copyFile("/bin/busybox", join(trees, "distroless", "busybox"));
  for (const name of ["glibc", "busybox", "distroless"]) {
    const tree = join(trees, name);
    await mkdir(join(tree, "www"), { recursive: true });
    await writeFile(join(tree, "www", "index.html"), `hello from ${name}\n`);
    const archive = join(trees, `${name}.tar`);
    await execa("tar", ["-C", tree, "-cf", archive, "."]);
    await engine.docker("import", "-c", "ENV FROM_IMAGE=image", archive, name);
  }
}

const users = [
  "root:x:0:0::/root:/bin/sh",
  "vscode:x:1000:1000::/home/vscode:/bin/bash",
  "svc:x:1001:1001::/home/svc:/usr/sbin/nologin",
  "",
].join("\n");

async function skeleton(tree: string, bin: string): Promise<void> {
  for (const name of ["etc", "tmp", "root", "home/vscode", "home/svc", bin])
    await mkdir(join(tree, name), { recursive: true });
  await mkdir(join(tree, "workspaces/app"), { recursive: true });
  await chmod(join(tree, "tmp"), 0o1777);
  await chmod(join(tree, "workspaces/app"), 0o777);
  await execa("chown", ["1000:1000", join(tree, "home/vscode")]);
  await execa("chown", ["1001:1001", join(tree, "home/svc")]);
  await writeFile(join(tree, "etc/passwd"), users);
  await writeFile(
    join(tree, "etc/group"),
    "root:x:0:\nvscode:x:1000:\nsvc:x:1001:\nextra:x:2000:vscode\n",
  );
}

async function busyboxTree(tree: string): Promise<void> {
  await skeleton(tree, "bin");
  await copyFile("/bin/busybox", join(tree, "bin/busybox"));
  const { stdout } = await execa("/bin/busybox", ["--list"]);
  for (const name of stdout.split("\n"))
    if (name !== "busybox") await symlink("busybox", join(tree, "bin", name));
}

const ofThisComputer = [
  ...["bash", "cat", "chmod", "env", "id", "ls", "ln", "mount", "mkdir", "rm"],
  ...["rsync", "sha256sum", "sleep", "ssh-add", "stty", "test", "umount"],
];

async function glibcTree(tree: string): Promise<void> {
  await skeleton(tree, "usr/bin");
  await mkdir(join(tree, "usr/sbin"));
  await symlink("usr/bin", join(tree, "bin"));
  await symlink("bash", join(tree, "usr/bin/sh"));
  await copyFile("/bin/busybox", join(tree, "usr/bin/busybox"));
  await symlink("../bin/busybox", join(tree, "usr/sbin/nologin"));
  for (const name of ["wget", "nc", "od", "pkill", "wc"])
    await symlink("busybox", join(tree, "usr/bin", name));
  for (const name of ofThisComputer) {
    const { stdout: path } = await execa("which", [name]);
    await copyFile(path, join(tree, "usr/bin", name));
    const { stdout } = await execa("ldd", [path], { reject: false });
    for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) {
      await mkdir(join(tree, dirname(library)), { recursive: true });
      await copyFile(library, join(tree, dirname(library), basename(library)));
    }
  }
}

/** The text of a file that may not be there. */
export const textOf = (path: string) => readFile(path, "utf8").catch(() => "");
