import { beforeEach, expect, test, vi } from "vitest";
import {
  type Answer,
  gatherSecrets,
  type Secrets,
  secretsIn,
  type SecretStore,
} from "../../../../src/extension/workspaces/secrets.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

let kept: Map<string, string>;
let store: SecretStore;
let questions: string[];
const read = {
  id: "w1",
  secrets: [{ name: "TOKEN", description: "of the registry" }, { name: "KEY" }],
};

beforeEach(() => {
  kept = new Map();
  questions = [];
  store = secretsIn(
    {
      get: (key: string) => Promise.resolve(kept.get(key)),
      store: (key: string, value: string) => {
        kept.set(key, value);
        return Promise.resolve();
      },
      delete: (key: string) => {
        kept.delete(key);
        return Promise.resolve();
      },
    },
    memento(),
  );
});

const gather = (
  answers: Answer[],
  { isTrusted = true, what = read } = {},
): Promise<Secrets | undefined> =>
  gatherSecrets(
    what,
    { folder: "/w/web", isTrusted },
    store,
    ({ name }, about) => {
      questions.push(`${about.title} ${String(about.step)}: ${name}`);
      return Promise.resolve(answers.shift());
    },
  );
const value = (text: string): Answer => ({ kind: "value", value: text });

test("what was given once is not asked for again, and kept apart from other folders", async () => {
  expect(await gather([value("t"), value("k")])).toEqual({
    TOKEN: "t",
    KEY: "k",
  });
  expect(questions).toEqual([
    "Secrets for web 1: TOKEN",
    "Secrets for web 2: KEY",
  ]);
  questions = [];
  expect(await gather([])).toEqual({ TOKEN: "t", KEY: "k" });
  expect(questions).toEqual([]);
  expect(
    await gather([{ kind: "later" }, { kind: "later" }], {
      what: { ...read, id: "w2" },
    }),
  ).toEqual({});
});

test("one that is skipped is asked for the next time, one that is declined never", async () => {
  expect(await gather([{ kind: "later" }, { kind: "never" }])).toEqual({});
  questions = [];
  expect(await gather([value("t")])).toEqual({ TOKEN: "t" });
  expect(questions).toEqual(["Secrets for web 1: TOKEN"]);
});

test("leaving a question leaves altogether; what was given before it is kept", async () => {
  expect(await gather([value("t"), undefined])).toBeUndefined();
  expect(await gather([{ kind: "later" }])).toEqual({ TOKEN: "t" });
});

test("a folder that isn't trusted asks nothing and gets nothing, even of what is kept", async () => {
  await gather([value("t"), value("k")]);
  questions = [];
  expect(await gather([], { isTrusted: false })).toEqual({});
  expect(questions).toEqual([]);
});

test("a file gets only what it names; what is forgotten leaves no trace", async () => {
  await gather([value("t"), value("k")]);
  const fewer = { ...read, secrets: [{ name: "KEY" }] };
  expect(await gather([], { what: fewer })).toEqual({ KEY: "k" });
  await store.put("w1", "KEY", "");
  expect(await store.read("w1")).toEqual({ TOKEN: "t" });
  await store.put("w1", "TOKEN", "");
  expect([...kept]).toEqual([]);
});
