import { describe, expect, test, vi } from "vitest";
import {
  askInitialize,
  consentsIn,
  goesOnUntrusted,
  localEnvOf,
} from "../../../../src/extension/workspaces/consent.ts";
import { asked, executed, presses } from "../../../fakes/vscode.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

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

  test("asks again once it has failed, so that the folder can be opened without it", async () => {
    const consents = consentsIn(memento());
    await consents.give("d1");
    await consents.takeBack("d1");
    presses.push("Open Without It");
    expect(await askInitialize(file, "/w/web", true, consents)).toBe("skip");
    asked.length = 0;
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

test("a folder that isn't trusted is told what it goes without, and how to have it", async () => {
  const lacks = {
    initializeCommand: "make",
    localVariables: ["USER"],
    secrets: [{ name: "TOKEN" }],
  };
  expect(
    await goesOnUntrusted({ localVariables: [], secrets: [] }, "/w/web"),
  ).toBe(true);
  expect(asked).toEqual([]);
  presses.push("Open Without", "Manage Workspace Trust", undefined);
  expect(await goesOnUntrusted(lacks, "/w/web")).toBe(true);
  expect(asked[0]?.message).toBe("web is not trusted.");
  for (const word of ["initializeCommand", "USER", "TOKEN"])
    expect(asked[0]?.detail).toContain(word);
  expect(executed).toEqual([]);
  expect(await goesOnUntrusted(lacks, "/w/web")).toBe(false);
  expect(executed).toEqual([["workbench.trust.manage"]]);
  expect(await goesOnUntrusted(lacks, "/w/web")).toBe(false);
});
