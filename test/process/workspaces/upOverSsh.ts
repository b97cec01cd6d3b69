import { execa } from "execa";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { createHttp } from "../../../src/helper/net/http.ts";
import {
  connectSsh,
  type SshSession,
} from "../../../src/helper/ssh/session.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";
import { KnownWorkspaces } from "../../../src/helper/workspaces/known/knownWorkspaces.ts";
import {
  createWorkspaceRoom,
  type WorkspaceRoom,
  type WorkspaceRoomDeps,
} from "../../../src/helper/workspaces/handlers.ts";
import type { KnownImage } from "../../../src/helper/workspaces/up/plan.ts";
import type { ParsedParams } from "../../../src/protocol/contract.ts";
import type { CameUp, Workspace } from "../../../src/protocol/workspaces.ts";
import { type Failure, toFailure } from "../../../src/protocol/failure.ts";
import type { Machine } from "../../../src/protocol/machines.ts";
import * as samples from "../../unit/extension/samples.ts";
import { missing, type RealSshd, startSshd } from "../ssh/realSshd.ts";

/** The server gets folders of its own: what is written for a guest must not be written for this host, nor read of it. */
export const apart: readonly string[] = [
  ...["unshare", "--mount", "sh", "-c"],
  'set -e; mount -t tmpfs guest /var/lib; cp -a /etc /var/lib/etc; mount --bind /var/lib/etc /etc; mount -t tmpfs home /root; exec "$@"',
  "sh",
];
const tryMount = ["--mount", "mount", "-t", "tmpfs", "trial", "/mnt"];
export const unable =
  process.getuid?.() !== 0
    ? "mounts need root"
    : (await execa("unshare", tryMount, { reject: false })).exitCode === 0
      ? undefined
      : "mounts are not allowed";
/** Why such a server can't be had here; undefined where it can. */
export const reason = missing ?? unable;

/** A guest, a helper's room for workspaces, and a folder of each test's own. */
export interface UpOverSsh {
  sshd: RealSshd;
  guest: SshSession;
  room: WorkspaceRoom;
  /** Name of the helper's data folder, in the server's. */
  home: string;
  /** Of the host, and where it comes to be in the guest. */
  folder: string;
  remote: string;
  /** What the room has told: its log, its states, the folders that it copied. */
  log: string;
  states: Workspace["state"][];
  noted: object[];
  /** Writes the folder's file. */
  readonly put: (file: object) => Promise<void>;
  readonly up: (
    more?: Partial<ParsedParams<"workspaces.up">>,
    signal?: AbortSignal,
  ) => Promise<CameUp>;
  readonly state: () => Promise<Workspace["state"] | undefined>;
}

/** Sets all of it up for the tests around the call. `sweep` takes out of the guest what the test before left there. */
export function upOverSsh(
  sweep: string,
  likeness: Partial<Machine> = {},
): UpOverSsh {
  let round = 0;
  const context = (signal = new AbortController().signal) => ({
    requestId: "test",
    signal,
  });
  const at = {
    put: (file) =>
      writeFile(
        join(at.folder, ".devcontainer", "devcontainer.json"),
        JSON.stringify({
          workspaceFolder: at.remote,
          userEnvProbe: "none",
          ...file,
        }),
      ),
    up: (more = {}, signal) =>
      at.room.handlers["workspaces.up"](
        { folder: at.folder, ...more },
        context(signal),
      ),
    state: async () =>
      (await at.room.handlers["workspaces.list"]({}, context())).workspaces[0]
        ?.state,
  } as UpOverSsh;
  beforeAll(async () => {
    at.sshd = await startSshd(apart);
    at.guest = await connectSsh(at.sshd.target);
  });
  afterAll(async () => {
    at.guest.close();
    await at.room.close();
    await at.sshd.close();
  });
  beforeEach(async () => {
    round += 1;
    at.home = `home ${String(round)}`;
    at.folder = join(at.sshd.folder, `project ${String(round)}`);
    at.remote = join(at.sshd.folder, `guest's ${String(round)}`);
    await mkdir(join(at.folder, ".devcontainer"), { recursive: true });
    Object.assign(at, { log: "", states: [], noted: [] });
    await at.guest.exec(`rm -rf /var/lib/guesthouse; ${sweep}`);
    at.room = await roomOver(at, likeness);
  });
  return at;
}

/** How an attempt failed; that it does is part of the test. */
export const failure = (attempt: Promise<unknown>): Promise<Failure> =>
  attempt.then(() => {
    throw new Error("it went well");
  }, toFailure);

export const stagesOf = ({ stages }: CameUp): string[] =>
  stages.map(({ stage }) => stage);

/** The workspaces' room of a helper with this home, whose one machine's guest is the server. */
export async function roomOver(
  at: Pick<UpOverSsh, "sshd" | "home" | "noted" | "states" | "log">,
  likeness: Partial<Machine>,
  images: readonly KnownImage[] = [{ name: "debian-12" }],
  more: Partial<WorkspaceRoomDeps> = {},
): Promise<WorkspaceRoom> {
  const { sshd, home } = at;
  let machine: Machine | undefined;
  const layout = layoutOf(join(sshd.folder, home), {
    XDG_RUNTIME_DIR: sshd.folder,
  });
  const workspaces = new KnownWorkspaces(
    layout,
    { list: () => (machine === undefined ? [] : [machine]) },
    ({ state }) => at.states.push(state),
    () => undefined,
  );
  await workspaces.load();
  return createWorkspaceRoom({
    layout,
    workspaces,
    log: silentLog,
    resources: join(import.meta.dirname, "../../../resources"),
    reach: {
      target: () => Promise.resolve(sshd.target),
      landing: () => Promise.resolve(sshd.target),
    },
    http: createHttp(process.env),
    machines: {
      list: () => (machine === undefined ? [] : [machine]),
      create: ({ name = "" }) => {
        machine = samples.machine({ name, alias: `gh-${name}`, ...likeness });
        return Promise.resolve(machine);
      },
      start: () => Promise.resolve(machine ?? samples.machine()),
      stop: () => Promise.resolve(),
      remove: () => {
        machine = undefined;
        return Promise.resolve();
      },
      noteLanding: () => Promise.resolve(),
      notePorts: () => Promise.resolve(machine ?? samples.machine()),
      noteFolder: (_, folder) => {
        at.noted.push(folder);
        return Promise.resolve();
      },
    },
    images: () => Promise.resolve(images),
    defaultImage: "debian-12",
    usualSize: () => ({ cpus: 2, memoryMiB: 2048, diskGiB: 20 }),
    onCopied: () => () => undefined,
    onFetching: () => undefined,
    onLogged: (_, __, text) => (at.log += text),
    ...more,
  });
}
