import { execa } from "execa";
import { join } from "node:path";
import { silentLog } from "../../../src/base/log.ts";
import { createHttp } from "../../../src/helper/images/http.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";
import {
  createWorkspaceRoom,
  type UpHandlerDeps,
  type WorkspaceRoom,
} from "../../../src/helper/workspaces/upHandlers.ts";
import type { Machine } from "../../../src/protocol/machines.ts";
import * as samples from "../../unit/extension/samples.ts";
import { missing, type RealSshd } from "../ssh/realSshd.ts";

/** The server gets folders of its own: what is written for a guest must not be written for this host, nor read of it. */
export const apart: readonly string[] = [
  ...["unshare", "--mount", "sh", "-c"],
  'set -e; mount -t tmpfs guest /var/lib; cp -a /etc /var/lib/etc; mount --bind /var/lib/etc /etc; mount -t tmpfs home /root; exec "$@"',
  "sh",
];
const tryMount = ["--mount", "mount", "-t", "tmpfs", "trial", "/mnt"];
const unable =
  process.getuid?.() !== 0
    ? "mounts need root"
    : (await execa("unshare", tryMount, { reject: false })).exitCode === 0
      ? undefined
      : "mounts are not allowed";
/** Why such a server can't be had here; undefined where it can. */
export const reason = missing ?? unable;

/** The workspaces' room of a helper with this home, whose one machine's guest is the server. */
export function roomOver(
  sshd: RealSshd,
  home: string,
  listeners: Pick<UpHandlerDeps, "onChanged" | "onLogged"> & {
    readonly onFolder?: (folder: object) => void;
  },
  likeness: Partial<Machine> = {},
): Promise<WorkspaceRoom> {
  let machine: Machine | undefined;
  return createWorkspaceRoom({
    layout: layoutOf(join(sshd.folder, home), {
      XDG_RUNTIME_DIR: sshd.folder,
    }),
    log: silentLog,
    reach: { target: () => Promise.resolve(sshd.target) },
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
      noteFolder: (_, folder) => {
        listeners.onFolder?.(folder);
        return Promise.resolve();
      },
    },
    images: () => Promise.resolve(["debian-12"]),
    defaultImage: "debian-12",
    usualSize: () => ({ cpus: 2, memoryMiB: 2048, diskGiB: 20 }),
    onCopied: () => () => undefined,
    onRemoved: () => undefined,
    onFetching: () => undefined,
    ...listeners,
  });
}
