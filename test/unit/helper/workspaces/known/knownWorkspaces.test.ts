import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  layoutOf,
  type Layout,
} from "../../../../../src/helper/store/layout.ts";
import { readConfiguration } from "../../../../../src/helper/workspaces/devcontainer/read.ts";
import {
  KnownWorkspaces,
  type WorkspaceEntry,
} from "../../../../../src/helper/workspaces/known/knownWorkspaces.ts";
import { UnderWay } from "../../../../../src/helper/workspaces/known/underWay.ts";
import type { Machine } from "../../../../../src/protocol/machines.ts";
import type { Workspace } from "../../../../../src/protocol/workspaces.ts";
import * as samples from "../../../extension/samples.ts";

let folder: string;
let layout: Layout;
let machines: Machine[];
let told: Workspace[];
let removed: { id: string; revision: number }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-known-"));
  layout = layoutOf(join(folder, "home"), { XDG_RUNTIME_DIR: folder });
  machines = [];
  told = [];
  removed = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const make = async (): Promise<KnownWorkspaces> => {
  const known = new KnownWorkspaces(
    layout,
    { list: () => machines },
    (workspace) => told.push(workspace),
    (id, revision) => removed.push({ id, revision }),
  );
  await known.load();
  return known;
};
const claim = async (known: KnownWorkspaces): Promise<WorkspaceEntry> =>
  known.claim(await readConfiguration(folder, undefined));
const made = (machine: Machine): WorkspaceEntry["record"]["made"] => ({
  machine: machine.id,
  user: machine.user,
  target: "/workspaces/x",
  workspaceFolder: "/workspaces/x",
  shapeDigest: "0",
});
const failure = {
  kind: "failed",
  code: "workspaces.commandFailed",
  message: "It failed.",
} as const;
const onDisk = async ({ record }: WorkspaceEntry): Promise<unknown> =>
  JSON.parse(await readFile(layout.workspace(record.id).record, "utf8"));

describe("what is known of a workspace", () => {
  test("is on disk before it is told, and found again by the next helper", async () => {
    const known = await make();
    const entry = await claim(known);
    expect(await onDisk(entry)).toEqual(entry.record);
    expect(told).toEqual([known.view(entry)]);
    expect(await claim(known)).toBe(entry);
    const next = await make();
    expect(next.get(entry.record.id)?.record).toEqual(entry.record);
  });

  test("a change that can't be written is neither told nor kept", async () => {
    const known = await make();
    const entry = await claim(known);
    const before = entry.record;
    await rm(join(folder, "home"), { recursive: true });
    const file = layout.workspace(entry.record.id).record;
    // A folder in its place can't be replaced.
    await mkdir(join(file, "in the way"), { recursive: true });
    await expect(known.rewrite(entry, { title: "other" })).rejects.toThrow();
    expect(entry.record).toBe(before);
    expect(told).toHaveLength(1);
  });

  test("revisions only grow, whatever changes", async () => {
    const known = await make();
    const entry = await claim(known);
    known.enter(entry, "machine");
    known.noteMishap(entry, "The folder is not mounted.", { tell: true });
    await known.leave(entry, {});
    await known.forget(entry);
    const revisions = [...told, ...removed].map(({ revision }) => revision);
    expect(revisions).toHaveLength(5);
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
  });

  test("is gone from disk when it is forgotten, and its name is free", async () => {
    const known = await make();
    const entry = await claim(known);
    const { name } = entry.record;
    await known.forget(entry);
    expect(known.entries()).toEqual([]);
    await expect(onDisk(entry)).rejects.toThrow();
    expect((await claim(known)).record.name).toBe(name);
  });
});

describe("an up", () => {
  test("is told stage by stage, and over when it leaves", async () => {
    const known = await make();
    const entry = await claim(known);
    known.enter(entry, "machine");
    known.enter(entry, "files");
    const failed = { kind: "failed", stage: "files", failure } as const;
    await known.leave(entry, { failed });
    expect(told.slice(1).map(({ state }) => state)).toMatchObject([
      { kind: "working", stage: "machine" },
      { kind: "working", stage: "files" },
      failed,
    ]);
    expect(entry.working).toBeUndefined();
    expect(await onDisk(entry)).toMatchObject({ failed });
  });

  test("what it noted is told with its next change", async () => {
    const known = await make();
    const entry = await claim(known);
    known.noteOutdated(entry, {
      outdated: "only a rebuild",
      rebuild: "machine",
    });
    known.noteMishap(entry, "no dotfiles");
    expect(told).toHaveLength(1);
    known.enter(entry, "environment");
    expect(told.at(-1)).toMatchObject({
      outdated: "only a rebuild",
      mishap: "no dotfiles",
    });
    known.noteMishap(entry, undefined, { tell: true });
    expect(told.at(-1)).not.toHaveProperty("mishap");
    expect(await onDisk(entry)).not.toHaveProperty("outdated");
  });
});

describe("a machine that is gone", () => {
  test("leaves its workspace without one", async () => {
    const known = await make();
    const entry = await claim(known);
    const machine = samples.machine({ id: "0123456789abcdef" });
    machines = [machine];
    await known.rewrite(entry, { made: made(machine) });
    expect(known.view(entry)).toMatchObject({
      state: { kind: "ready" },
      machine: { id: machine.id },
    });
    expect(known.ofMachine(machine.id)).toBe(entry);
    machines = [];
    await known.machineGone(machine.id);
    expect(entry.record.made).toBeUndefined();
    expect(told.at(-1)?.state).toEqual({ kind: "absent" });
  });

  test("changes nothing of a workspace that has another by then, or was forgotten", async () => {
    const known = await make();
    const entry = await claim(known);
    const [older, newer] = ["0123456789abcdef", "fedcba9876543210"].map((id) =>
      samples.machine({ id }),
    );
    await known.rewrite(entry, { made: made(older!) });
    // A rebuild holds the lock while its machine goes.
    let gone: Promise<void> | undefined;
    await known.locks.run(entry.record.id, async () => {
      gone = known.machineGone(older!.id);
      await known.rewrite(entry, { made: made(newer!) });
    });
    await gone;
    expect(entry.record.made?.machine).toBe(newer!.id);
    await known.locks.run(entry.record.id, async () => {
      gone = known.machineGone(newer!.id);
      await known.forget(entry);
    });
    await gone;
    await expect(onDisk(entry)).rejects.toThrow();
  });
});

describe("what is under way", () => {
  test("is known until it has ended, and can be ended", async () => {
    const underWay = new UnderWay();
    const controller = new AbortController();
    const work = underWay.during(
      "a",
      controller,
      () =>
        new Promise<void>((_, reject) =>
          controller.signal.addEventListener("abort", () =>
            reject(new Error("ended")),
          ),
        ),
    );
    expect([underWay.has("a"), underWay.has("b"), underWay.size]).toEqual([
      true,
      false,
      1,
    ]);
    underWay.end("b");
    expect(controller.signal.aborted).toBe(false);
    underWay.end("a");
    await expect(work).rejects.toThrow("ended");
    expect(underWay.size).toBe(0);
  });

  test("everything can be ended at once", async () => {
    const underWay = new UnderWay();
    const controllers = [new AbortController(), new AbortController()];
    let finish = (): void => undefined;
    const until = new Promise<void>((resolve) => (finish = resolve));
    const all = controllers.map((controller, i) =>
      underWay.during(String(i), controller, () => until),
    );
    expect(underWay.endAll()).toEqual(["0", "1"]);
    expect(controllers.every(({ signal }) => signal.aborted)).toBe(true);
    finish();
    await Promise.all(all);
    expect(underWay.endAll()).toEqual([]);
  });
});
