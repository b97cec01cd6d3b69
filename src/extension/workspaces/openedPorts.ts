/*
 * Opens what `onAutoForward` of a devcontainer.json wants opened, for ports that only Guesthouse forwards: those of services
 * beside the dev container. What listens in the container itself the editor finds, forwards and opens by its own settings.
 * Once in a window for each port (for `openBrowserOnce`: in each VM), and not before something answers there.
 */
import { connect } from "node:net";
import { commands, type Memento, Uri } from "vscode";
import { sleep } from "../../base/deadline.ts";
import type { Forward } from "../../protocol/forwards.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Records } from "../helper/records.ts";

export interface OpenedPortsDeps {
  readonly workspaces: Pick<Records<Workspace>, "onDidChange">;
  readonly machines: Pick<Records<Machine>, "get" | "onDidChange">;
  /** The workspace in whose VM this window is; undefined in any other window. */
  readonly here: () => Workspace | undefined;
  readonly isTrusted: () => boolean;
  /** Of this computer. */
  readonly memento: Memento;
  /** Whether something answers at a port of this computer by now. */
  readonly answers: (port: number) => Promise<boolean>;
  readonly open: (forward: Forward) => Promise<void>;
  /** Between two looks at a port; default 2 s. */
  readonly pauseMs?: number;
}

/** The editor doesn't take the address for one of the guest, as `env.openExternal` would. */
export async function openByEditor(forward: Forward): Promise<void> {
  const { scheme = "http", hostPort, open } = forward;
  const address = Uri.parse(`${scheme}://localhost:${String(hostPort)}/`);
  if (open === "openPreview")
    try {
      await commands.executeCommand("simpleBrowser.api.open", address);
      return;
    } catch {
      // An editor without it has a browser at hand.
    }
  await commands.executeCommand("vscode.open", address);
}

/** Through a tunnel every port takes a connection; one without a listener is reset at once, before any request. */
export const answersNow = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const done = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(quietMs, () => done(true));
    socket.once("data", () => done(true));
    for (const event of ["error", "end", "close"] as const)
      socket.once(event, () => done(false));
  });

/** A server that waits for a request is silent; a tunnel to nothing has failed by then. */
const quietMs = 3_000;
const usualPauseMs = 2_000;
/** A server that isn't there after this many looks is started by hand, some time. */
const looks = 300;

const key = "guesthouse.openedPorts";
const maxKept = 200;

export function openPorts(deps: OpenedPortsDeps): () => void {
  const { workspaces, machines, here, isTrusted, memento, answers } = deps;
  const ended = new AbortController();
  const begun = new Set<string>();

  const follow = async (forward: Forward, name: string): Promise<void> => {
    for (let look = 0; look < looks; look++) {
      const isThere = await answers(forward.hostPort);
      ended.signal.throwIfAborted();
      if (isThere) {
        await deps.open(forward);
        const opened = memento.get<string[]>(key, []);
        if (!opened.includes(name))
          await memento.update(key, [...opened, name].slice(-maxKept));
        return;
      }
      await sleep(deps.pauseMs ?? usualPauseMs, ended.signal);
    }
  };
  const look = (): void => {
    const { machine } = here() ?? {};
    if (machine === undefined || !isTrusted()) return;
    for (const forward of machines.get(machine.id)?.runtime?.forwards ?? []) {
      const { open, host, guestPort, hostPort } = forward;
      if (open === undefined || host === undefined) continue;
      const name = `${machine.id} ${host}:${String(guestPort)}`;
      const inWindow = `${name} ${String(hostPort)}`;
      if (begun.has(inWindow)) continue;
      begun.add(inWindow);
      const isDone =
        open === "openBrowserOnce" &&
        memento.get<string[]>(key, []).includes(name);
      if (!isDone) follow(forward, name).catch(() => undefined);
    }
  };
  const stops = [workspaces.onDidChange(look), machines.onDidChange(look)];
  return () => {
    ended.abort();
    for (const stop of stops) stop();
  };
}
