import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import { consentsIn } from "../../../../src/extension/workspaces/consent.ts";
import {
  bringUp,
  type UpDeps,
} from "../../../../src/extension/workspaces/up.ts";
import { failed, refused } from "../../../../src/protocol/failure.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";
import { asked, forget, presses } from "../../../fakes/vscode.ts";
import { memento } from "../memento.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

/** What the helper says to each `up`, in order. */
const answers: (Error | undefined)[] = [];
const ups: Record<string, unknown>[] = [];
let initializeCommand: string | undefined;
let isTrusted: boolean;
let deps: UpDeps;
const bring = () => bringUp(deps, { folder: "/w/shop" });

beforeEach(() => {
  initializeCommand = undefined;
  isTrusted = true;
  deps = {
    call: (method: string, params: Record<string, unknown>) => {
      if (method === "workspaces.read")
        return Promise.resolve({
          ...{ digest: "d", warnings: [], localVariables: [], secrets: [] },
          initializeCommand,
        });
      ups.push(params);
      const answer = answers.shift();
      return answer === undefined
        ? Promise.resolve({ workspace: {}, notes: [] })
        : Promise.reject(answer);
    },
    onNotice: () => () => undefined,
    workspaces: createRecords<Workspace>({
      keyOf: ({ id }) => id,
      keysAreReused: true,
    }),
    settings: () => ({ files: "copy", gitIdentity: true }),
    consents: consentsIn(memento()),
    secrets: {},
    serverFolder: () => Promise.resolve(undefined),
    isTrusted: () => isTrusted,
  } as unknown as UpDeps;
});
afterEach(() => {
  forget();
  ups.length = answers.length = 0;
});

describe("initializeCommand", () => {
  test("that failed is asked about at the next try; one that worked isn't", async () => {
    initializeCommand = "docker network create x";
    answers.push(failed("workspaces.initializeFailed", "It ended with 127."));
    presses.push("Run on This Computer");
    await expect(bring()).rejects.toThrow("127");
    presses.push("Open Without It");
    expect(await bring()).toBeDefined();
    presses.push("Run on This Computer");
    await bring();
    await bring();
    expect(ups.map(({ initialize }) => initialize)).toEqual([
      ...["run", "skip", "run", "run"],
    ]);
  });

  test("another failure takes no consent back", async () => {
    initializeCommand = "make";
    answers.push(failed("workspaces.commandFailed", "postCreate ended."));
    presses.push("Run on This Computer");
    await expect(bring()).rejects.toThrow("postCreate");
    await bring();
    expect(ups.map(({ initialize }) => initialize)).toEqual(["run", "run"]);
  });
});

describe("paths of this computer that a container wants to see", () => {
  const wants = () =>
    refused("workspaces.hostPaths", "The container wants to see /srv/models.");

  test.each([
    ["Copy Once", "copy"],
    ["Share Read-Only", "share-readonly"],
    ["Share", "share"],
    ["Use Empty Folders", "empty"],
  ])("%s", async (button, wish) => {
    answers.push(wants());
    presses.push(button);
    await bring();
    expect(asked[0]?.message).toContain("/srv/models");
    expect(ups.map(({ hostPaths }) => hostPaths)).toEqual([undefined, wish]);
  });

  test("nothing is brought up where the user leaves", async () => {
    answers.push(wants());
    presses.push(undefined);
    expect(await bring()).toBeUndefined();
    expect(ups).toHaveLength(1);
  });

  test("a folder that isn't trusted gets empty ones at most, and what was decided for a trusted one isn't asked of the helper", async () => {
    isTrusted = false;
    answers.push(wants());
    presses.push("Use Empty Folders");
    await bring();
    expect(asked.at(-1)?.detail).toContain("isn't trusted");
    await bring();
    expect(ups.map(({ hostPaths }) => hostPaths)).toEqual([
      ...["refuse", "empty", "empty"],
    ]);
  });
});
