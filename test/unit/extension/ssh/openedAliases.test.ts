import type { Memento } from "vscode";
import { expect, test } from "vitest";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import { openedAliases } from "../../../../src/extension/ssh/openedAliases.ts";
import type { Machine } from "../../../../src/protocol/machines.ts";
import { machine } from "../samples.ts";

test("what was written for an opened machine is removed when it is gone, and nobody else's", async () => {
  let stored: readonly string[] = [];
  const memento = {
    get: (_key: string, otherwise: readonly string[]) =>
      stored.length > 0 ? stored : otherwise,
    update: (_key: string, value: readonly string[]) => {
      stored = value;
      return Promise.resolve();
    },
  } as unknown as Memento;
  const machines = createRecords<Machine>({
    keyOf: ({ id }) => id,
    keysAreReused: false,
  });
  const forgotten: string[] = [];
  const opened = openedAliases(memento, machines, (aliases) => {
    forgotten.push(...aliases);
    return Promise.resolve();
  });
  machines.put(machine({ id: "a", alias: "gh-a" }));
  machines.put(machine({ id: "b", alias: "gh-b" }));
  await opened.add("gh-a");
  await opened.add("gh-a");
  await opened.add("gh-b");
  // A window in the VM around a container.
  await opened.add("gh-b-vm");
  await opened.prune();
  expect(forgotten).toEqual([]);
  machines.remove("a", 2);
  await opened.prune();
  expect(forgotten).toEqual(["gh-a"]);
  expect(opened.all()).toEqual(["gh-b", "gh-b-vm"]);
});
