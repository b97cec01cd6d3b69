// The landing as it is in a VM, but natively: landd with its port, the tool folder made of this computer's OpenSSH, and
// clients that reach it with a strict known_hosts file.
import { execa, type Options } from "execa";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildLanding } from "../../../scripts/lib/landing.mjs";
import { generateHostKey } from "../../../src/helper/ssh/keys.ts";
import { freePort } from "../ssh/realSshd.ts";
import { type Engine, makeImages, startEngine, textOf } from "./engine.ts";

const sources = new URL("../../../resources/guest/landing/", import.meta.url)
  .pathname;
const compiled = new URL("../../../dist/landing/", import.meta.url).pathname;

/** What `guesthouse-landing set` reads. */
export interface Target {
  readonly container: string;
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
  readonly workspaceFolder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly relays?: readonly {
    readonly listen: number;
    readonly host: string;
    readonly port: number;
  }[];
}

/** What a program did. */
export interface Done {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Bed {
  readonly engine: Engine;
  readonly folder: string;
  readonly port: number;
  readonly hostKey: string;
  readonly landd: number;
  readonly client: readonly string[];
  /** `guesthouse-landing COMMAND`, with its answer. */
  command(command: string, input?: unknown): Promise<Record<string, unknown>>;
  set(target: Target): Promise<Record<string, unknown>>;
  /** OpenSSH's client: options, then the command. */
  ssh(args: readonly string[], options?: Options): Promise<Done>;
  run(
    program: string,
    args: readonly string[],
    options?: Options,
  ): Promise<Done>;
  /** What landd wrote to its journal. */
  journal(): Promise<string>;
  close(): Promise<void>;
}

/** Throws where no engine runs, or nothing can be compiled. */
export async function openBed(): Promise<Bed> {
  await buildLanding();
  const engine = await startEngine();
  try {
    await makeImages(engine);
    return await land(engine);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

const launcher = `
import fcntl, os, socket, sys
port, run, landd = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.makedirs(run, 0o700, exist_ok=True)
tcp = socket.create_server(("127.0.0.1", port), backlog=128)
control = socket.socket(socket.AF_UNIX)
control.bind(run + "/control.sock")
control.listen(8)
kept = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 50) for s in (tcp, control)]
os.dup2(kept[0], 3), os.dup2(kept[1], 4)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
os.execv(landd, [landd])
`;

async function install(lib: string): Promise<void> {
  const arch = process.arch === "arm64" ? "arm64" : "amd64";
  await mkdir(lib);
  for (const name of ["landd", "gate", "show"])
    await copyFile(join(compiled, arch, name), join(lib, name));
  for (const name of await readdir(sources))
    if (/^(guesthouse-landing|landing_.*\.py)$/.test(name))
      await copyFile(join(sources, name), join(lib, name));
  const given = process.env["GUESTHOUSE_LANDING_TOOLS"];
  if (given !== undefined)
    await cp(given, join(lib, "tools"), { recursive: true });
  else
    await execa("sh", [
      join(sources, "make-tools.sh"),
      ...["/", join(compiled, arch), join(lib, "tools")],
    ]);
  // A peer group, as systemd makes of a VM's root: what a container mounts must not come back.
  await execa("mount", ["--bind", lib, lib]);
  await execa("mount", ["--make-shared", lib]);
}

async function land(engine: Engine): Promise<Bed> {
  const at = (name: string) => join(engine.folder, name);
  const port = await freePort();
  const keys = { host: generateHostKey("host"), user: generateHostKey("user") };
  await install(at("lib"));
  const env = {
    GUESTHOUSE_LANDING_LIB: at("lib"),
    GUESTHOUSE_LANDING_RUN: at("run"),
    GUESTHOUSE_LANDING_STATE: at("state"),
    GUESTHOUSE_LANDING_ENGINE: engine.socket,
    GUESTHOUSE_LANDING_NETWORK: `/proc/${String(process.pid)}/ns/net`,
  };
  await writeFile(at("id"), keys.user.privateKey, { mode: 0o600 });
  await writeFile(at("known"), `landing ${keys.host.publicKey}\n`);
  const configure = (user: string) =>
    writeFile(
      at("config"),
      [
        "Host landing",
        `User ${user}`,
        "HostName 127.0.0.1",
        `Port ${String(port)}`,
        "HostKeyAlias landing",
        `IdentityFile ${at("id")}`,
        "IdentitiesOnly yes",
        `UserKnownHostsFile ${at("known")}`,
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "",
      ].join("\n"),
    );
  const journal = at("journal");
  const landd = spawn(
    "sh",
    [
      ...["-c", 'exec /usr/bin/python3 -c "$0" "$@" 2>>"$JOURNAL"', launcher],
      ...[String(port), at("run"), at("lib/landd")],
    ],
    { stdio: "ignore", env: { ...process.env, ...env, JOURNAL: journal } },
  );
  const run = async (
    program: string,
    args: readonly string[],
    options: Options = {},
  ): Promise<Done> => {
    const done = await execa(program, args, {
      reject: false,
      timeout: 60_000,
      stripFinalNewline: false,
      ...options,
    });
    const { exitCode: code, stdout, stderr } = done;
    return { code, stdout: String(stdout), stderr: String(stderr) };
  };
  const client = ["-F", at("config")];
  const command = async (name: string, input: unknown = "") => {
    const done = await execa(at("lib/guesthouse-landing"), [name], {
      reject: false,
      env,
      input: typeof input === "string" ? input : JSON.stringify(input),
    });
    const answer = JSON.parse(done.stdout) as Record<string, unknown>;
    return { ...answer, code: done.exitCode };
  };
  return {
    engine,
    folder: engine.folder,
    port,
    hostKey: keys.host.publicKey,
    landd: landd.pid ?? 0,
    client,
    command,
    async set(target) {
      await configure(target.user);
      return command("set", {
        ...target,
        authorizedKeys: [keys.user.publicKey],
        hostKey: { private: keys.host.privateKey, public: keys.host.publicKey },
      });
    },
    ssh: (args, options) => run("ssh", [...client, ...args], options),
    run,
    journal: () => textOf(journal),
    async close() {
      await end(landd);
      for (const name of ["run/shown", "lib"])
        await execa("umount", ["--lazy", at(name)], { reject: false });
      await engine.close();
    },
  };
}

async function end(landd: ChildProcess): Promise<void> {
  if (landd.exitCode !== null || landd.signalCode !== null) return;
  const gone = new Promise((resolve) => landd.once("exit", resolve));
  landd.kill("SIGTERM");
  await gone;
}
