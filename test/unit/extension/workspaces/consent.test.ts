import type { Memento } from "vscode";
import { describe, expect, test, vi } from "vitest";
import {
  askInitialize,
  consentsIn,
  localEnvOf,
} from "../../../../src/extension/workspaces/consent.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

function memento(): Memento {
  const values = new Map<string, unknown>();
  return {
    keys: () => [...values.keys()],
    get: (key: string, fallback?: unknown) => values.get(key) ?? fallback,
    update: (key: string, value: unknown) => {
      values.set(key, value);
      return Promise.resolve();
    },
  } as Memento;
}

const file = { initializeCommand: "make -C tools", digest: "d1" };

describe("initializeCommand, which runs on this computer", () => {
  test("is left out of a folder that nobody trusts, even where it was allowed before", async () => {
    const consents = consentsIn(memento());
    await consents.give("d1");
    expect(await askInitialize(file, "/w/web", false, consents)).toBe("skip");
  });

  test("runs unasked where the same file was allowed, and not where it changed", async () => {
    const consents = consentsIn(memento());
    await consents.give("d1");
    expect(await askInitialize(file, "/w/web", true, consents)).toBe("run");
    expect(consents.given("d2")).toBe(false);
  });

  test("a file without one asks nothing", async () => {
    const consents = consentsIn(memento());
    expect(
      await askInitialize({ digest: "d1" }, "/w/web", true, consents),
    ).toBe("skip");
  });
});

test("a trusted folder sees the variables that its file names, another one none", () => {
  const read = { localVariables: ["USER", "ABSENT"] };
  const env = { USER: "me", SECRET: "hidden" };
  expect(localEnvOf(read, true, env)).toEqual({ USER: "me" });
  expect(localEnvOf(read, false, env)).toEqual({});
});
