import { type OutputChannel, window } from "vscode";
import type { Workspace } from "../../protocol/devcontainers.ts";
import type { Call, OnNotice } from "../helper/connection.ts";
import { createLogFeed, type LogFeed } from "../machines/logFeed.ts";
import type { Records } from "../records.ts";

interface WorkspaceLog {
  readonly channel: OutputChannel;
  readonly feed: LogFeed;
}

/** The workspace logs: one channel per folder with a VM, filled live from the moment that it is worked on. */
export class WorkspaceLogs {
  readonly #call: Call;
  readonly #logs = new Map<string, WorkspaceLog>();
  readonly #stops: (() => void)[];

  constructor(deps: {
    readonly call: Call;
    readonly onNotice: OnNotice;
    readonly workspaces: Records<Workspace>;
  }) {
    this.#call = deps.call;
    this.#stops = [
      deps.workspaces.onDidChange(({ changed }) => {
        for (const workspace of changed)
          if (
            workspace.state.kind === "working" &&
            !this.#logs.has(workspace.id)
          )
            void quietly(this.#open(workspace).feed);
      }),
      deps.onNotice("workspaces.logged", (logged) =>
        this.#logs.get(logged.id)?.feed.onLogged(logged),
      ),
    ];
  }

  /** On every new connection: reads what was missed. */
  async catchUp(): Promise<void> {
    await Promise.all(
      [...this.#logs.values()].map(({ feed }) => quietly(feed)),
    );
  }

  /** Shows a folder's log without taking the keyboard. */
  async show(workspace: Workspace): Promise<void> {
    const known = this.#logs.get(workspace.id);
    const log = known ?? this.#open(workspace);
    log.channel.show(true);
    if (known === undefined) await log.feed.catchUp();
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
    for (const { channel } of this.#logs.values()) channel.dispose();
    this.#logs.clear();
  }

  #open({ id, title }: Workspace): WorkspaceLog {
    const channel = window.createOutputChannel(
      `Guesthouse: ${title} (folder)`,
      "log",
    );
    const feed = createLogFeed({
      read: (offset) => this.#call("workspaces.log", { id, offset }),
      write: (text) => channel.append(text),
      restart: () => channel.clear(),
    });
    const log = { channel, feed };
    this.#logs.set(id, log);
    return log;
  }
}

/** A log that can't be read now is read with the next connection; it is no reason to disturb. */
const quietly = (feed: LogFeed): Promise<void> =>
  feed.catchUp().catch(() => undefined);
