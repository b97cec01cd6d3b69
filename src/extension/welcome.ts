import { commands } from "vscode";
import type { Machine } from "../protocol/machines.ts";
import type { Connection } from "./helper/connection.ts";
import { noteHealth } from "./host/hostCommands.ts";
import type { Records } from "./helper/records.ts";

/**
 * Keeps what the welcome view is chosen by: whether the helper answers, and, while there is no machine, whether this
 * computer can run one.
 */
export function keepWelcome(
  connection: Connection,
  machines: Records<Machine>,
): () => void {
  const set = (key: string, value: unknown): void =>
    void commands.executeCommand("setContext", key, value);
  connection.onConnected((client) => {
    if (machines.all().length > 0) return;
    // Not awaited: the first check of a computer takes seconds, and the view need not wait for it.
    void client
      .call("host.doctor", {})
      .then(({ report }) => noteHealth(report))
      .catch(() => undefined);
  });
  const stops = [
    connection.onDidChangeState(({ kind }) => set("guesthouse.helper", kind)),
    // Unset until the list is known: then commands on machines are offered, for they bring the list here.
    machines.onDidChange(() =>
      set("guesthouse.machines", machines.all().length === 0 ? "none" : "some"),
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
