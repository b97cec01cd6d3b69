/** `delete` on a terminal, and without one: the real command line against the contract (F10). */
import { execa } from "execa";
import { beforeEach, expect, test } from "vitest";
import type { Machine } from "../../../src/protocol/machines.ts";
import { checkpoint, machine } from "../../unit/extension/samples.ts";
import { bundle } from "../../vm/household.ts";
import { fakeHouse } from "./fakeHouse.ts";
import { runOnTerminal } from "./terminal.ts";

const house = fakeHouse();
let deleted: string[];

const machines: Readonly<Record<string, Machine>> = {
  web: machine({
    ...{ id: "id-web", name: "web", alias: "gh-web" },
    state: { kind: "running", sinceMs: 0 },
    checkpoints: [checkpoint()],
  }),
  off: machine({
    ...{ id: "id-off", name: "off", alias: "gh-off" },
    state: { kind: "stopped", reason: "requested" },
    checkpoints: [],
  }),
};

beforeEach(() => {
  deleted = [];
  house.helper.answer("machines.show", ({ machine: name }) =>
    Promise.resolve({ machine: machines[name] ?? machine() }),
  );
  house.helper.answer("machines.delete", ({ machine: name }) => {
    deleted.push(name);
    return Promise.resolve({ id: `id-${name}` });
  });
});

const typing = (keys: string, ...args: string[]) =>
  runOnTerminal([process.execPath, bundle, "delete", ...args], {
    keys,
    after: { text: "[y/N]" },
    env: { GUESTHOUSE_HOME: house.home, TERM: "dumb" },
  });

test.each([
  ["y and Enter", "y\n", ["web"], 0],
  ["YES", "YES\n", ["web"], 0],
  ["Enter", "\n", [], 0],
  ["no", "no\n", [], 0],
  ["another word", "yesterday\n", [], 0],
  ["Ctrl-D", "\x04", [], 0],
  ["Ctrl-C", "\x03", [], 130],
])(
  "a running machine with a checkpoint is asked about on a terminal: %s (F10)",
  async (_what, keys, expected, expectedCode) => {
    const { code, shown } = await typing(keys, "web");
    expect(shown).toContain(
      "Delete web (running, 1 checkpoint) with all that is in it? [y/N]",
    );
    expect(deleted).toEqual(expected);
    expect(code, shown).toBe(expectedCode);
    if (expected.length === 0 && code === 0)
      expect(shown).toContain("Nothing was deleted.");
  },
);

test.each([
  ["--yes", ["--yes", "web"], ["web"]],
  ["-y before several", ["-y", "web", "off"], ["web", "off"]],
  ["--discard", ["--discard", "web"], ["web"]],
  ["a machine that is off", ["off"], ["off"]],
])("nothing is asked with %s", async (_what, args, expected) => {
  const { code, shown } = await typing("", ...args);
  expect(shown).not.toContain("[y/N]");
  expect(deleted).toEqual(expected);
  expect(code).toBe(0);
});

test("without a terminal nobody is asked, and what the helper refuses stays", async () => {
  const { exitCode } = await execa(process.execPath, [bundle, "rm", "web"], {
    reject: false,
    stdin: "ignore",
    env: { GUESTHOUSE_HOME: house.home },
  });
  expect(exitCode).toBe(0);
  expect(deleted).toEqual(["web"]);
});
