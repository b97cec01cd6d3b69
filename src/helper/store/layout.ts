/*
 * Every file and folder on disk, named once; no other file joins such a path. The names are a promise: what an older
 * version wrote is found under the same name. Whoever knows the data folder calls `layoutOf` and passes the layout on.
 */
import { join } from "node:path";
import { helperSocketOf, runFolderOf } from "../../rpc/address.ts";

/** What stays in the data folder, each file and folder named once; scratch is named by who makes it. */
export interface Layout {
  readonly home: string;
  readonly helperLock: string;
  readonly helperState: string;
  readonly helperLog: string;
  /** The helper's own socket or named pipe. */
  readonly helperSocket: string;
  /** One lease for each ssh connection that goes through us. */
  readonly leases: string;
  /** Sockets of everything that runs; short enough for `sun_path`. */
  readonly run: string;
  /** Warm templates, one folder each. */
  readonly templates: string;
  readonly template: (id: string) => TemplateFiles;
  /** Frozen disk layers that machines, forks and checkpoints share; named by 16 hex digits. */
  readonly layers: string;
  readonly layer: (id: string) => string;
  /** How many clones of which image wait for a name. */
  readonly poolSizes: string;
  readonly images: string;
  readonly image: (digest: string) => ImageFiles;
  readonly imageNames: string;
  readonly downloads: string;
  /** Windows being installed: one folder for each image that is to be made so. */
  readonly installs: string;
  /** `id` names the sockets, which must be short. */
  readonly install: (name: string, id: string) => InstallFiles;
  /** Scratch folders of builds and imports; emptied at helper start. */
  readonly work: string;
  readonly cache: string;
  readonly machines: string;
  readonly machine: (id: string) => MachineFiles;
  /** Boot logs, which outlive their machines (B13). */
  readonly logs: string;
  /** Repositories that were cloned by their URL, by id. */
  readonly clones: string;
  readonly clone: (id: string) => CloneFiles;
  /** One record for each folder that was brought up, by id. */
  readonly workspaces: string;
  readonly workspace: (id: string) => WorkspaceFiles;
  /** What says of each prebuild under way which machine is its own, so that none outlives a crash. */
  readonly prebuilding: string;
  readonly accelerator: string;
  /** What the trials of network back ends found. */
  readonly networkTrials: string;
  readonly ssh: SshFiles;
}

export interface WorkspaceFiles {
  readonly record: string;
  /** What its commands printed; outlives its VM. */
  readonly log: string;
}

export interface CloneFiles {
  readonly folder: string;
  /** Of which URL; beside it lies the repository, called as its URL says. */
  readonly record: string;
}

export interface ImageFiles {
  readonly folder: string;
  readonly record: string;
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly report: string;
  /** Empty; its time tells when a prebuild was last cloned. */
  readonly used: string;
  /** The firmware's, as Windows wrote them; only beside an installed Windows. */
  readonly variables: string;
}

export interface InstallFiles {
  readonly folder: string;
  /** Durable intent: what is to be installed, and how far it is. */
  readonly record: string;
  readonly disk: string;
  /** Below the disk, where that came with Windows: the user's file as we took it over. */
  readonly base: string;
  /** The firmware's. */
  readonly variables: string;
  /** Above the user's ISO, so that it starts without a key. */
  readonly installer: string;
  /** Holds the account's password. */
  readonly answers: string;
  readonly pidFile: string;
  readonly qemuLog: string;
  /** What firmware and scripts said, and the last picture of the screen; they outlive a failed installation. */
  readonly log: string;
  readonly picture: string;
  readonly qmpSocket: string;
  readonly agentSocket: string;
  readonly consoleSocket: string;
  readonly screenSocket: string;
  readonly tpm: TpmFiles;
}

export interface TemplateFiles {
  readonly folder: string;
  readonly record: string;
  /** Guest memory; clones map it privately. */
  readonly memory: string;
  /** Which parts of it clones use at once; absent until one has come up (`hotPages.ts`). */
  readonly hotPages: string;
  /** QEMU's device state, without the memory. */
  readonly state: string;
  readonly disk: string;
  /** The firmware's as they were when it was saved; of Windows. */
  readonly variables: string;
}

export interface CheckpointFiles {
  readonly folder: string;
  /** A whole migration stream, memory included; absent when the checkpoint has none. */
  readonly state: string;
}

export interface MachineFiles {
  readonly folder: string;
  /** Durable intent: what the machine is. */
  readonly record: string;
  /** Transient: what runs now; can be lost at any time (B15). */
  readonly handles: string;
  readonly disk: string;
  /** An overlay about to take the place of `disk`; see `snapshots/layers.ts`. */
  readonly nextDisk: string;
  /** A whole migration stream: where the next start goes on from. */
  readonly state: string;
  readonly checkpoint: (id: string) => CheckpointFiles;
  readonly seed: string;
  /** The firmware's, of a machine with Windows. */
  readonly variables: string;
  readonly hostKey: string;
  /** Two FIFOs, `.in` and `.out`: QEMU's end of the handoff port. */
  readonly handoff: string;
  readonly pidFile: string;
  readonly qemuLog: string;
  readonly log: string;
  readonly qmpSocket: string;
  readonly agentSocket: string;
  readonly consoleSocket: string;
  /** Where VNC clients find the machine's screen, if it has one. */
  readonly screenSocket: string;
  /** Where QEMU sends its memory to while it is saved. */
  readonly captureSocket: string;
  readonly network: NetworkFiles;
  readonly tpm: TpmFiles;
}

/** Of a network back end that is a process of its own. */
export interface NetworkFiles {
  /** Where QEMU meets it. */
  readonly socketPath: string;
  readonly pidFile: string;
  readonly logPath: string;
}

/** Of a machine with a TPM. */
export interface TpmFiles {
  /** What the TPM keeps when it is switched off. */
  readonly stateFolder: string;
  /** Where QEMU meets it. */
  readonly socketPath: string;
  readonly pidFile: string;
  readonly logPath: string;
}

export interface SshFiles {
  readonly folder: string;
  readonly identity: string;
  readonly knownHosts: string;
  readonly config: string;
  readonly launcher: string;
}

/** Names every path below `home`; refuses with `helper.pathTooLong` when no folder for sockets is short enough. */
export function layoutOf(
  home: string,
  env: NodeJS.ProcessEnv = process.env,
): Layout {
  const run = runFolderOf(home, env);
  const images = join(home, "images");
  const logs = join(home, "logs");
  const clones = join(home, "clones");
  const roots = { home, run, logs };
  const templates = join(home, "templates");
  const layers = join(home, "layers");
  return {
    home,
    run,
    images,
    machines: join(home, "machines"),
    logs,
    helperLock: join(home, "helper.lock"),
    helperState: join(home, "helper.json"),
    helperLog: join(logs, "helper.log"),
    helperSocket: helperSocketOf(home, env),
    leases: join(home, "leases"),
    image: (digest) => imageFiles(images, digest),
    templates,
    template: (id) => templateFiles(templates, id),
    layers,
    layer: (id) => join(layers, `${id}.qcow2`),
    poolSizes: join(home, "pool.json"),
    imageNames: join(images, "names.json"),
    downloads: join(home, "downloads"),
    installs: join(home, "installs"),
    install: (name, id) => installFiles(roots, name, id),
    work: join(home, "work"),
    cache: join(home, "cache"),
    machine: (id) => machineFiles(roots, id),
    clones,
    clone: (id) => cloneFiles(clones, id),
    workspaces: join(home, "workspaces"),
    workspace: (id) => ({
      record: join(home, "workspaces", `${id}.json`),
      log: join(logs, `workspace-${id}.log`),
    }),
    prebuilding: join(home, "prebuilding"),
    accelerator: join(home, "accelerator.json"),
    networkTrials: join(home, "network.json"),
    ssh: sshFiles(join(home, "ssh")),
  };
}

/** Where the files of one thing lie: in its own folder, among the sockets, among the logs. */
type Roots = Pick<Layout, "home" | "run" | "logs">;

function imageFiles(images: string, digest: string): ImageFiles {
  const folder = join(images, digest.replace(":", "-"));
  return {
    folder,
    record: join(folder, "image.json"),
    disk: join(folder, "disk.qcow2"),
    kernel: join(folder, "kernel"),
    initrd: join(folder, "initrd"),
    report: join(folder, "report.json"),
    used: join(folder, "used"),
    variables: join(folder, "variables.fd"),
  };
}

function templateFiles(templates: string, id: string): TemplateFiles {
  const folder = join(templates, id);
  return {
    folder,
    record: join(folder, "template.json"),
    memory: join(folder, "memory"),
    hotPages: join(folder, "hot-pages"),
    state: join(folder, "state"),
    disk: join(folder, "disk.qcow2"),
    variables: join(folder, "variables.fd"),
  };
}

function installFiles(
  { home, run, logs }: Roots,
  name: string,
  id: string,
): InstallFiles {
  const folder = join(home, "installs", name);
  const socket = (kind: string): string => join(run, `win-${id}.${kind}`);
  return {
    folder,
    record: join(folder, "install.json"),
    disk: join(folder, "disk.qcow2"),
    base: join(folder, "base.qcow2"),
    variables: join(folder, "variables.fd"),
    installer: join(folder, "installer.qcow2"),
    answers: join(folder, "answers.iso"),
    pidFile: join(folder, "qemu.pid"),
    qemuLog: join(folder, "qemu.log"),
    log: join(logs, `install-${name}.log`),
    picture: join(logs, `install-${name}.png`),
    qmpSocket: socket("qmp"),
    agentSocket: socket("agent"),
    consoleSocket: socket("console"),
    screenSocket: socket("screen"),
    tpm: {
      stateFolder: join(folder, "tpm"),
      socketPath: socket("tpm"),
      pidFile: socket("tpm.pid"),
      logPath: join(folder, "tpm.log"),
    },
  };
}

function machineFiles({ home, run, logs }: Roots, id: string): MachineFiles {
  const folder = join(home, "machines", id);
  return {
    folder,
    record: join(folder, "machine.json"),
    handles: join(folder, "handles.json"),
    disk: join(folder, "disk.qcow2"),
    nextDisk: join(folder, "disk.next.qcow2"),
    state: join(folder, "state"),
    checkpoint: (checkpointId) => {
      const own = join(folder, "checkpoints", checkpointId);
      return { folder: own, state: join(own, "state") };
    },
    handoff: join(folder, "handoff"),
    seed: join(folder, "seed.iso"),
    variables: join(folder, "variables.fd"),
    hostKey: join(folder, "host_key"),
    pidFile: join(folder, "qemu.pid"),
    qemuLog: join(folder, "qemu.log"),
    log: join(logs, `${id}.log`),
    qmpSocket: join(run, `${id}.qmp`),
    agentSocket: join(run, `${id}.agent`),
    consoleSocket: join(run, `${id}.console`),
    screenSocket: join(run, `${id}.screen`),
    captureSocket: join(run, `${id}.save`),
    network: {
      socketPath: join(run, `${id}.net`),
      pidFile: join(run, `${id}.net.pid`),
      logPath: join(folder, "network.log"),
    },
    tpm: {
      stateFolder: join(folder, "tpm"),
      socketPath: join(run, `${id}.tpm`),
      pidFile: join(run, `${id}.tpm.pid`),
      logPath: join(folder, "tpm.log"),
    },
  };
}

function cloneFiles(clones: string, id: string): CloneFiles {
  const folder = join(clones, id);
  return { folder, record: join(folder, "clone.json") };
}

const sshFiles = (folder: string): SshFiles => ({
  folder,
  identity: join(folder, "id_ed25519"),
  knownHosts: join(folder, "known_hosts"),
  config: join(folder, "guesthouse.conf"),
  launcher: join(
    folder,
    process.platform === "win32" ? "launcher.cmd" : "launcher.sh",
  ),
});
