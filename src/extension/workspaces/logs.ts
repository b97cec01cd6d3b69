import { l10n } from "vscode";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Call, OnNotice } from "../helper/connection.ts";
import {
  type LogChannel,
  openLogChannel,
  quietly,
} from "../machines/logChannel.ts";
import type { Records } from "../helper/records.ts";

/** The workspace logs: one channel per folder with a VM, filled live from the moment that it is worked on. */
export class WorkspaceLogs {
  readonly #call: Call;
  readonly #logs = new Map<string, LogChannel>();
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
            void quietly(this.#open(workspace));
      }),
      deps.onNotice("workspaces.logged", (logged) =>
        this.#logs.get(logged.id)?.feed.onLogged(logged),
      ),
    ];
  }

  /** On every new connection: reads what was missed. */
  async catchUp(): Promise<void> {
    await Promise.all([...this.#logs.values()].map(quietly));
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

  #open({ id, title }: Workspace): LogChannel {
    const log = openLogChannel(l10n.t("{0} (folder)", title), (offset) =>
      this.#call("workspaces.log", { id, offset }),
    );
    this.#logs.set(id, log);
    return log;
  }
}
