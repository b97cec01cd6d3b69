import { expect, test, vi } from "vitest";
import { rowOf } from "../../../../src/extension/rows/image.ts";
import { reportMarkdown } from "../../../../src/extension/images/report.ts";
import { imageTooltip } from "../../../../src/extension/images/tooltip.ts";
import { jobsOf, statusText } from "../../../../src/extension/work/jobs.ts";
import type { ImageState } from "../../../../src/protocol/images.ts";
import { image, machine, nowMs, template } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const mib = 1024 ** 2;
const download: ImageState = {
  kind: "working",
  stage: "download",
  sinceMs: nowMs,
  bytes: 120 * mib,
  totalBytes: 350 * mib,
  bytesPerSecond: 12 * mib,
  fraction: 0.345,
};

test.each<[ImageState, string, string]>([
  [{ kind: "available" }, "not on this computer yet", "image.available"],
  [
    download,
    "downloading · 120 MB of 350 MB · 34 % · 12 MB/s",
    "image.working",
  ],
  [
    { kind: "working", stage: "build", sinceMs: nowMs },
    "building",
    "image.working",
  ],
  [
    { kind: "working", stage: "polish", sinceMs: nowMs },
    "polish",
    "image.working",
  ],
  [{ kind: "ready" }, "ready · 612 MB · 2 VMs", "image.ready"],
])("a row of %o", (state, description, context) => {
  const ready = state.kind === "ready";
  const row = rowOf(
    image({
      state,
      ...(ready ? { sizeBytes: 612 * mib, usedBy: ["a", "b"] } : {}),
    }),
  );
  expect(row).toMatchObject({ label: "debian-12", description, context });
});

test("a failed image tells why in its tooltip", () => {
  const failed = image({
    state: {
      kind: "failed",
      failure: {
        kind: "failed",
        code: "images.digestMismatch",
        message: "The download is not what was published.",
      },
    },
  });
  expect(rowOf(failed).icon).toBe("error");
  expect(imageTooltip(failed)).toContain(
    "The download is not what was published.",
  );
});

test("a validation report begins with what needs a look (B11)", () => {
  const text = reportMarkdown(image(), {
    checkedAt: "2026-03-01T12:00:00Z",
    usable: false,
    checks: [
      { id: "a", title: "Agent", outcome: "ok", detail: "here" },
      {
        id: "b",
        title: "Kernel",
        outcome: "error",
        detail: "no modules",
        remedy: "Install a kernel package.",
      },
    ],
  });
  expect(text).toContain("can't be used as it is");
  expect(text.indexOf("Kernel")).toBeLessThan(text.indexOf("Agent"));
  expect(text).toContain(
    "| ✗ problem | Kernel | no modules<br>Install a kernel package. |",
  );
});

test("the status bar tells one job in full and counts several", () => {
  const starting = machine({
    state: { kind: "starting", stage: "kernel", sinceMs: nowMs },
  });
  const idle = machine({ id: "b", name: "idle" });
  expect(statusText(jobsOf([idle], [image()]))).toBeUndefined();
  expect(statusText(jobsOf([starting, idle], []))).toBe(
    "$(sync~spin) debian-12: starting: kernel",
  );
  expect(statusText(jobsOf([starting], [image({ state: download })]))).toBe(
    "$(sync~spin) Guesthouse: 2 jobs",
  );
});

test("a template that is being made is work in the background", () => {
  const making = template({
    state: { kind: "making", stage: "settle", sinceMs: nowMs },
  });
  const jobs = jobsOf([], [], [making, template({ id: "b" })]);
  expect(statusText(jobs)).toBe(
    "$(sync~spin) debian-12: warming up: coming to rest",
  );
});

test("a download and a boot can be cancelled, a deletion can't", () => {
  const jobs = jobsOf(
    [
      machine({ state: { kind: "starting", stage: "init", sinceMs: nowMs } }),
      machine({ id: "b", state: { kind: "deleting" } }),
    ],
    [image({ state: download })],
  );
  expect(jobs.map(({ kind, canCancel }) => [kind, canCancel])).toEqual([
    ["image", true],
    ["machine", true],
    ["machine", false],
  ]);
});

test("a prebuild says of what", () => {
  const prebuild = image({
    name: "prebuild-web-1a2b3c4d",
    sizeBytes: 400 * mib,
    source: {
      kind: "prebuild",
      title: "My web",
      key: "",
      fileKey: "",
      content: "",
      base: { name: "debian-12", digest: "" },
      madeAt: "2026-01-02T03:04:05.000Z",
    },
  });
  expect(rowOf(prebuild).description).toBe(
    "ready · prebuild of My web · 400 MB",
  );
  expect(imageTooltip(prebuild)).toContain(
    "prebuild of My web, made of `debian-12`",
  );
});
