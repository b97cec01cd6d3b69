import { expect, test, vi } from "vitest";
import {
  removalText,
  usageMarkdown,
} from "../../../../src/extension/storage/report.ts";
import type { StorageItem } from "../../../../src/protocol/storage.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const mib = 1024 ** 2;
const item = (change: Partial<StorageItem>): StorageItem => ({
  kind: "image",
  id: "sha256:aa",
  title: "debian-12",
  bytes: 490 * mib,
  reclaimable: false,
  reason: "web stands on it",
  ...change,
});
const leftover = item({
  kind: "leftover",
  title: "half a *download*",
  bytes: 600 * mib,
  reclaimable: true,
  reason: "nothing knows it",
});

test("the page begins with the largest and tells what can go and why", () => {
  const text = usageMarkdown({
    items: [item({}), leftover],
    totalBytes: 1090 * mib,
    reclaimableBytes: 600 * mib,
  });
  expect(text).toContain("takes 1.1 GB; 600 MB of it can be reclaimed");
  expect(text).toContain(
    String.raw`| 600 MB | leftover | half a \*download\* | ✓ can go | nothing knows it |`,
  );
  expect(text.indexOf("leftover")).toBeLessThan(text.indexOf("web stands"));
});

test("the question before reclaiming names what goes, and counts what it has no room for", () => {
  expect(removalText([item({ bytes: mib }), leftover])).toBe(
    "600 MB · leftover · half a *download*\n1 MB · image · debian-12",
  );
  const many = Array.from({ length: 15 }, () => leftover);
  expect(removalText(many).split("\n")).toHaveLength(13);
  expect(removalText(many)).toMatch(/\nand 3 more$/);
});
