import { expect, test, vi } from "vitest";
import { configurationText } from "../../../../src/extension/workspaces/addConfiguration.ts";
import { itemOf } from "../../../../src/extension/workspaces/cleanUp.ts";
import {
  findWorkspace,
  placeKey,
} from "../../../../src/extension/workspaces/folders.ts";
import { createRecords } from "../../../../src/extension/helper/records.ts";
import { parseJsonc } from "../../../../src/helper/workspaces/devcontainer/jsonc.ts";
import { devcontainerSchema } from "../../../../src/helper/workspaces/devcontainer/model.ts";
import { reviewProperties } from "../../../../src/helper/workspaces/devcontainer/review.ts";
import type { Workspace } from "../../../../src/protocol/workspaces.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

test("a first configuration is one that Guesthouse takes without a warning", () => {
  const text = configurationText({
    image: "debian-12",
    cpus: 4,
    memory: "8gb",
  });
  const { value, error } = parseJsonc(text);
  expect(error).toBeUndefined();
  const file = devcontainerSchema.parse(value);
  expect(reviewProperties(file)).toEqual([]);
  expect(file).toMatchObject({
    image: "debian-12",
    customizations: { guesthouse: { cpus: 4, memory: "8gb" } },
  });
  expect(configurationText({ image: "x" })).not.toContain("customizations");
});

test("what points to nothing is picked for cleaning up, what is only old is not, and nothing that runs", () => {
  const leftover = {
    kind: "workspace",
    id: "0".repeat(16),
    title: "web",
    folder: "/w/web",
    running: false,
    bytes: 2 * 1024 ** 3,
    lastUsedAt: "2026-01-01T00:00:00Z",
  } as const;
  const now = Date.parse("2026-02-10T00:00:00Z");
  const old = itemOf({ ...leftover, why: ["unused"] }, now);
  expect(old).toMatchObject({
    picked: false,
    description: "2 GB · used 40 d 0 h ago",
    detail: "/w/web · not used for long",
  });
  expect(itemOf({ ...leftover, why: ["folderGone"] }, now).picked).toBe(true);
  const running = { ...leftover, running: true, why: ["folderGone" as const] };
  expect(itemOf(running, now)).toMatchObject({ picked: false });
});

test("a folder, a branch of it and its configurations are told apart", () => {
  const records = createRecords<Workspace>({
    keyOf: ({ id }) => id,
    keysAreReused: true,
  });
  const workspace = (id: string, branch?: string): Workspace => ({
    id,
    folder: "/w/web",
    ...(branch === undefined ? {} : { branch }),
    title: "web",
    alias: `gh-${id}`,
    state: { kind: "ready" },
    logPath: "/l",
    revision: 1,
  });
  records.put(workspace("b", "feature"));
  expect(findWorkspace(records, { folder: "/w/web" })).toBeUndefined();
  records.put(workspace("a"));
  expect(findWorkspace(records, { folder: "/w/web" })?.id).toBe("a");
  const place = { folder: "/w/web", branch: "feature" };
  expect(findWorkspace(records, place)?.id).toBe("b");
  expect(placeKey(place)).not.toBe(placeKey({ folder: "/w/web" }));
  records.put({ ...workspace("c"), config: ".devcontainer/go/x.json" });
  const go = { folder: "/w/web", config: ".devcontainer/go/x.json" };
  expect(findWorkspace(records, go)?.id).toBe("c");
  expect(placeKey(go)).not.toBe(placeKey({ folder: "/w/web" }));
});
