import type { Memento } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Records } from "../helper/records.ts";
import { vmAliasOf } from "../../protocol/vmAlias.ts";

const key = "guesthouse.openedAliases";

/** Aliases that were opened from this computer, so that what was written for them can be removed with their VMs. */
export interface OpenedAliases {
  readonly all: () => readonly string[];
  readonly add: (alias: string) => Promise<void>;
  /** Forgets those whose machines are gone. Call it when the list of machines is fresh. */
  readonly prune: () => Promise<void>;
}

export function openedAliases(
  memento: Memento,
  machines: Records<Machine>,
  forget: (aliases: readonly string[]) => Promise<void>,
): OpenedAliases {
  const all = (): readonly string[] => memento.get<string[]>(key, []);
  return {
    all,
    async add(alias) {
      if (!all().includes(alias)) await memento.update(key, [...all(), alias]);
    },
    async prune() {
      const present = new Set(
        machines.all().flatMap(({ alias }) => [alias, vmAliasOf(alias)]),
      );
      const gone = all().filter((alias) => !present.has(alias));
      if (gone.length === 0) return;
      await forget(gone);
      await memento.update(
        key,
        all().filter((alias) => present.has(alias)),
      );
    },
  };
}
