import { createHash } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { refused } from "../../protocol/failure.ts";

/**
 * Longest path of a unix socket: `sun_path` holds 108 bytes with its final zero on Linux (unix(7)), 104 on macOS.
 */
const maxSocketPathBytes = process.platform === "darwin" ? 103 : 107;

/** The longest socket name that is ever made below the run folder: `<12 hex>.console`. */
const longestSocketName = "0123456789ab.console";

/** Every file and folder on disk, named once. */
export interface Layout {
  readonly home: string;
  readonly helperLock: string;
  readonly helperState: string;
  readonly helperLog: string;
  /** The helper's own socket or named pipe. */
  readonly helperSocket: string;
  /** Sockets of everything that runs; short enough for `sun_path`. */
  readonly run: string;
  readonly images: string;
  readonly image: (digest: string) => ImageFiles;
  readonly imageNames: string;
  readonly downloads: string;
  /** Scratch folders of builds and imports; emptied at helper start. */
  readonly work: string;
  readonly cache: string;
  readonly machines: string;
  readonly machine: (id: string) => MachineFiles;
  /** Boot logs, which outlive their machines (B13). */
  readonly logs: string;
  readonly accelerator: string;
  readonly ssh: SshFiles;
}

export interface ImageFiles {
  readonly folder: string;
  readonly record: string;
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly report: string;
}

export interface MachineFiles {
  readonly folder: string;
  /** Durable intent: what the machine is. */
  readonly record: string;
  /** Transient: what runs now; can be lost at any time (B15). */
  readonly handles: string;
  readonly disk: string;
  readonly seed: string;
  readonly hostKey: string;
  readonly pidFile: string;
  readonly qemuLog: string;
  readonly log: string;
  readonly qmpSocket: string;
  readonly agentSocket: string;
  readonly consoleSocket: string;
}

export interface SshFiles {
  readonly folder: string;
  readonly identity: string;
  readonly knownHosts: string;
  readonly config: string;
  readonly launcher: string;
}

/** The platform's folder for application data. */
export function defaultHome(env: NodeJS.ProcessEnv = process.env): string {
  const explicit = env["GUESTHOUSE_HOME"];
  if (explicit !== undefined && explicit !== "") return explicit;
  switch (process.platform) {
    case "win32":
      return join(
        env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"),
        "Guesthouse",
      );
    case "darwin":
      return join(homedir(), "Library", "Application Support", "Guesthouse");
    default:
      return join(
        env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"),
        "guesthouse",
      );
  }
}

/**
 * Names every path below `home`. Sockets live in `<home>/run`; where that is too long for `sun_path`, in a folder of
 * the user's runtime directory that is named by a digest of `home` (B22).
 * Refuses with `helper.pathTooLong` when even that is too long.
 */
export function layoutOf(
  home: string,
  env: NodeJS.ProcessEnv = process.env,
): Layout {
  const run = runFolder(home, env);
  const images = join(home, "images");
  const machines = join(home, "machines");
  const logs = join(home, "logs");
  const ssh = join(home, "ssh");
  return {
    home,
    run,
    images,
    machines,
    logs,
    helperLock: join(home, "helper.lock"),
    helperState: join(home, "helper.json"),
    helperLog: join(logs, "helper.log"),
    helperSocket:
      process.platform === "win32"
        ? `\\\\.\\pipe\\guesthouse-${shortHash(home)}`
        : join(run, "helper"),
    image: (digest) => {
      const folder = join(images, digest.replace(":", "-"));
      return {
        folder,
        record: join(folder, "image.json"),
        disk: join(folder, "disk.qcow2"),
        kernel: join(folder, "kernel"),
        initrd: join(folder, "initrd"),
        report: join(folder, "report.json"),
      };
    },
    imageNames: join(images, "names.json"),
    downloads: join(home, "downloads"),
    work: join(home, "work"),
    cache: join(home, "cache"),
    machine: (id) => {
      const folder = join(machines, id);
      return {
        folder,
        record: join(folder, "machine.json"),
        handles: join(folder, "handles.json"),
        disk: join(folder, "disk.qcow2"),
        seed: join(folder, "seed.iso"),
        hostKey: join(folder, "host_key"),
        pidFile: join(folder, "qemu.pid"),
        qemuLog: join(folder, "qemu.log"),
        log: join(logs, `${id}.log`),
        qmpSocket: join(run, `${id}.qmp`),
        agentSocket: join(run, `${id}.agent`),
        consoleSocket: join(run, `${id}.console`),
      };
    },
    accelerator: join(home, "accelerator.json"),
    ssh: {
      folder: ssh,
      identity: join(ssh, "id_ed25519"),
      knownHosts: join(ssh, "known_hosts"),
      config: join(ssh, "guesthouse.conf"),
      launcher: join(
        ssh,
        process.platform === "win32" ? "launcher.cmd" : "launcher.sh",
      ),
    },
  };
}

function runFolder(home: string, env: NodeJS.ProcessEnv): string {
  if (process.platform === "win32") return join(home, "run");
  const name = `guesthouse-${String(process.getuid?.() ?? 0)}-${shortHash(home)}`;
  const candidates = [
    join(home, "run"),
    join(env["XDG_RUNTIME_DIR"] ?? tmpdir(), name),
  ];
  const fitting = candidates.find(
    (folder) =>
      Buffer.byteLength(join(folder, longestSocketName)) <= maxSocketPathBytes,
  );
  if (fitting !== undefined) return fitting;
  throw refused(
    "helper.pathTooLong",
    `No folder for sockets is short enough: ${candidates.join(" and ")} leave no room within ${String(maxSocketPathBytes)} bytes.`,
    { remedy: "Set GUESTHOUSE_HOME or XDG_RUNTIME_DIR to a shorter path." },
  );
}

const shortHash = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 10);
