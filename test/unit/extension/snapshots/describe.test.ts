import { expect, test, vi } from "vitest";
import {
  checkpointRow,
  checkpointTooltip,
} from "../../../../src/extension/rows/checkpoint.ts";
import {
  templateRow,
  templateTooltip,
} from "../../../../src/extension/rows/template.ts";
import {
  checkpointKey,
  checkpointOfKey,
  templateKey,
  templateOfKey,
} from "../../../../src/extension/rows/keys.ts";
import { freeName } from "../../../../src/extension/snapshots/names.ts";
import { timeText } from "../../../../src/extension/rows/quantities.ts";
import type { Template } from "../../../../src/protocol/templates.ts";
import { checkpoint, nowMs, template } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const taken = timeText(checkpoint().createdAt);

test("a checkpoint is called by its note, or by its time", () => {
  expect(checkpointRow(checkpoint())).toMatchObject({
    label: "before the upgrade",
    description: `240 MB · memory and disk · ${taken}`,
    icon: "circuit-board",
    context: "checkpoint.memory",
  });
  expect(checkpointRow(checkpoint({ note: "", memory: false }))).toMatchObject({
    label: taken,
    description: "240 MB · disk only",
    icon: "database",
    context: "checkpoint.disk",
  });
});

test("a checkpoint that was made by itself says so, to a screen reader, too", () => {
  const row = checkpointRow(checkpoint({ automatic: true }));
  expect(row.description).toMatch(/^automatic · 240 MB /);
  expect(row.spoken).toMatch(
    /^checkpoint before the upgrade, automatic, 240 MB/,
  );
});

test("a checkpoint's tooltip tells what rolling back brings, and no word of it becomes Markdown", () => {
  const text = checkpointTooltip(checkpoint({ note: "*now*", memory: false }));
  expect(text).toContain(String.raw`**\*now\***`);
  expect(text).toContain("rolling back boots the guest");
  expect(checkpointTooltip(checkpoint())).toContain("goes on where");
});

test.each<[Template["state"], string, string, string]>([
  [
    { kind: "ready" },
    "2 CPU · 2 GB · 184 MB · used 3 min ago",
    "flame",
    "template.ready",
  ],
  [
    { kind: "making", stage: "boot", sinceMs: nowMs - 12_000 },
    "2 CPU · 2 GB · warming up: boot · 12 s",
    "loading~spin",
    "template.making",
  ],
  [
    { kind: "making", stage: "polish", sinceMs: nowMs },
    "2 CPU · 2 GB · warming up: polish · 0 s",
    "loading~spin",
    "template.making",
  ],
  [
    {
      kind: "failed",
      failure: {
        kind: "failed",
        code: "templates.failed",
        message: "The guest did not come to rest.",
      },
    },
    "2 CPU · 2 GB · could not be made",
    "error",
    "template.failed",
  ],
])("a row of %o", (state, description, icon, context) => {
  const shown = template({ state });
  expect(templateRow(shown, nowMs)).toMatchObject({
    label: "warm",
    description,
    icon,
    context,
  });
  if (state.kind === "failed")
    expect(templateTooltip(shown)).toContain("The guest did not come to rest.");
});

test("keys of the two kinds of rows are told from ids and names", () => {
  expect(checkpointOfKey(checkpointKey("0123456789ab", "0a1b2c3d"))).toEqual({
    machine: "0123456789ab",
    checkpoint: "0a1b2c3d",
  });
  expect(checkpointOfKey("0123456789ab")).toBeUndefined();
  expect(templateOfKey(templateKey("0123456789abcdef"))).toBe(
    "0123456789abcdef",
  );
  expect(templateOfKey("debian-12")).toBeUndefined();
});

test("a fork's default name is free and a hostname", () => {
  expect(freeName("web", "fork", new Set(["web"]))).toBe("web-fork");
  expect(freeName("web", "fork", new Set(["web-fork", "web-fork-2"]))).toBe(
    "web-fork-3",
  );
  const long = freeName(`${"a".repeat(57)}-b-cde`, "fork", new Set());
  expect(long).toBe(`${"a".repeat(57)}-fork`);
  expect(long.length).toBeLessThanOrEqual(63);
});

test("a template tells how many of its clones wait, and what memory they take", () => {
  const pool = { wanted: 2, ready: 1, memoryBytes: 150 * 1024 ** 2 };
  expect(templateTooltip(template({ pool }))).toMatch(
    /Pool.*1 of 2 clones wait to become the next VM · 15\d MB of memory/,
  );
  expect(templateTooltip(template())).not.toContain("Pool");
});
