/*
 * The boot logs in the Output panel. It owns their channels and remembers which were open, so that they come back after a
 * reload and stay when their machine is gone. `machinesRoom.ts` makes it and ends it.
 */
import { l10n, type Memento } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Call, OnNotice } from "../helper/connection.ts";
import type { Records, RecordsChange } from "../helper/records.ts";
import { createConsoleCleaner } from "./consoleText.ts";
import { type LogChannel, openLogChannel, quietly } from "./logChannel.ts";

interface BootLog extends LogChannel {
  readonly name: string;
}

export interface LogName {
  readonly id: string;
  readonly name: string;
}

const mementoKey = "guesthouse.bootLogs";
/** Channels that a reload brings back at most; the newest stay. */
const maxRemembered = 20;

/**
 * The boot-log channels: one per machine, made when the machine boots or its log is asked for, filled live, there
 * again after a reload of the window, and kept when the machine is gone (B13).
 */
export class BootLogs {
  readonly #call: Call;
  readonly #memento: Memento;
  readonly #logs = new Map<string, BootLog>();
  readonly #stops: (() => void)[];

  constructor(deps: {
    readonly call: Call;
    readonly onNotice: OnNotice;
    readonly machines: Records<Machine>;
    readonly memento: Memento;
  }) {
    this.#call = deps.call;
    this.#memento = deps.memento;
    this.#stops = [
      deps.machines.onDidChange((change) => this.#onMachines(change)),
      deps.onNotice("machines.logged", (logged) =>
        this.#logs.get(logged.id)?.feed.onLogged(logged),
      ),
    ];
  }

  /** Logs that were open before, of machines that may be gone by now. */
  remembered(): readonly LogName[] {
    return this.#memento.get<LogName[]>(mementoKey, []);
  }

  /** On every new connection: opens what was open and reads what was missed. */
  async catchUp(): Promise<void> {
    for (const { id, name } of this.remembered())
      if (!this.#logs.has(id)) this.#open(id, name);
    await Promise.all([...this.#logs.values()].map(quietly));
  }

  /** Shows a machine's log without taking the keyboard; the machine may be deleted. */
  async show(id: string, name: string): Promise<void> {
    const known = this.#logs.get(id);
    const log = known ?? this.#open(id, name);
    log.channel.show(true);
    if (known === undefined) await log.feed.catchUp();
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
    for (const { channel } of this.#logs.values()) channel.dispose();
    this.#logs.clear();
  }

  #onMachines({ changed, removed }: RecordsChange<Machine>): void {
    for (const { id, name, state } of changed) {
      const log = this.#logs.get(id);
      // An output channel can't be renamed: the log moves to one of the new name.
      const renamed = log !== undefined && log.name !== name;
      const boots = state.kind === "starting" && log === undefined;
      if (renamed) log.channel.dispose();
      if (renamed || boots) void quietly(this.#open(id, name));
    }
    for (const { id, logPath } of removed)
      this.#logs
        .get(id)
        ?.channel.appendLine(
          l10n.t("— This VM is deleted. Its log stays in {0}. —", logPath),
        );
  }

  #open(id: string, name: string): BootLog {
    const log = {
      name,
      ...openLogChannel(
        name,
        (offset) => this.#call("machines.log", { machine: id, offset }),
        createConsoleCleaner,
      ),
    };
    this.#logs.set(id, log);
    this.#remember({ id, name });
    return log;
  }

  #remember(log: LogName): void {
    const others = this.remembered().filter(({ id }) => id !== log.id);
    void this.#memento.update(
      mementoKey,
      [...others, log].slice(-maxRemembered),
    );
  }
}
