import { expect, test } from "vitest";
import { createRecords } from "../../../../src/extension/helper/records.ts";

interface Thing {
  readonly key: string;
  readonly revision: number;
  readonly text: string;
}
const thing = (key: string, revision: number, text = ""): Thing => ({
  key,
  revision,
  text,
});
const things = (keysAreReused = false) =>
  createRecords<Thing>({ keyOf: ({ key }) => key, keysAreReused });

test("a notice with a lower revision is old news", () => {
  const records = things();
  records.put(thing("a", 5, "new"));
  records.put(thing("a", 4, "old"));
  expect(records.get("a")?.text).toBe("new");
});

test("a record doesn't come back by a notice from before its removal", () => {
  const records = things();
  records.put(thing("a", 5));
  records.remove("a", 7);
  records.put(thing("a", 6));
  expect(records.all()).toEqual([]);
});

test("a late removal doesn't take a newer record away", () => {
  const records = things();
  records.put(thing("a", 9));
  records.remove("a", 8);
  expect(records.get("a")?.revision).toBe(9);
});

test("a name that may be used again comes back with a lower revision", () => {
  const records = things(true);
  records.put(thing("a", 5));
  records.remove("a", 6);
  records.put(thing("a", 1, "imported again"));
  expect(records.get("a")?.text).toBe("imported again");
});

test("the list replaces what a lost connection left, also with lower revisions of a new helper", () => {
  const records = things();
  records.put(thing("kept", 50, "old"));
  records.put(thing("gone", 51));
  const sync = records.beginSync();
  sync.finish([thing("kept", 3, "fresh"), thing("new", 1)]);
  expect(records.all().map(({ key, text }) => [key, text])).toEqual([
    ["kept", "fresh"],
    ["new", ""],
  ]);
});

test("what a notice said while the list was put together wins over the list", () => {
  const records = things();
  records.put(thing("removed", 1));
  const sync = records.beginSync();
  records.put(thing("created", 2));
  records.put(thing("changed", 4, "notice"));
  records.remove("removed", 3);
  sync.finish([thing("removed", 1), thing("changed", 3, "list")]);
  expect(records.all().map(({ key, text }) => [key, text])).toEqual([
    ["created", ""],
    ["changed", "notice"],
  ]);
});

test("a list tells all its changes at once", () => {
  const records = things();
  records.put(thing("gone", 1));
  const told: unknown[] = [];
  records.onDidChange(({ changed, removed }) =>
    told.push([changed.map(({ key }) => key), removed.map(({ key }) => key)]),
  );
  records.beginSync().finish([thing("a", 1), thing("b", 1)]);
  expect(told).toEqual([[["a", "b"], ["gone"]]]);
});
