import { expect, test, vi } from "vitest";
import { noticeOf } from "../../../../src/extension/screen/notice.ts";
import { pageOf } from "../../../../src/extension/screen/page.ts";
import { thumbnailMarkdown } from "../../../../src/extension/screen/thumbnail.ts";
import type { Machine } from "../../../../src/protocol/machines.ts";
import { machine } from "../samples.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const runtime = (screenSocket?: string): NonNullable<Machine["runtime"]> => ({
  pid: 4711,
  startedAtMs: 0,
  way: "cold",
  accelerator: "kvm",
  acceleratorReason: "",
  sshPort: 40022,
  consoleSocket: "/run/attic.console",
  ...(screenSocket === undefined ? {} : { screenSocket }),
  forwards: [],
  network: { backend: "passt", hostLoopbackReachable: false, reason: "" },
});
const running = { kind: "running", sinceMs: 0 } as const;

test("a picture is shown, or why there is none and what helps", () => {
  const told = (change: Partial<Machine>, connected = false) =>
    noticeOf(machine(change), connected);
  const withScreen = {
    screen: true,
    state: running,
    runtime: runtime("/run/attic.screen"),
  };
  expect(told(withScreen, true)).toBeUndefined();
  expect(told(withScreen)).toEqual({
    text: "Connecting to the screen of debian-12…",
  });
  expect(told({ screen: true })?.action?.id).toBe("start");
  expect(told({})?.action?.id).toBe("addScreen");
  expect(told({ state: running, runtime: runtime() })).toMatchObject({
    text: expect.stringContaining("A restart ends what runs in it."),
    action: { id: "addScreen", label: "Add a Screen and Restart" },
  });
  // Its memory fits to no other devices.
  expect(
    told({ state: { kind: "stopped", reason: "suspended" } })?.action?.id,
  ).toBe("start");
  expect(
    told({ screen: true, state: { kind: "deleting" } })?.action,
  ).toBeUndefined();
  expect(noticeOf(undefined, false)?.text).toContain("gone");
});

test("a picture that would not fit into a tooltip is left out", () => {
  expect(thumbnailMarkdown("iVBORw0KGgo=", "attic")).toBe(
    "\n\n![Screen of attic](data:image/png;base64,iVBORw0KGgo=|width=320)",
  );
  expect(thumbnailMarkdown("A".repeat(90_000), "attic")).toBe("");
  expect(thumbnailMarkdown("", "attic")).toBe("");
});

test("the page runs its own script alone and loads nothing from elsewhere", () => {
  const html = pageOf({
    nonce: "n0nce",
    cspSource: "https://*.vscode-cdn.net",
    script: "https://cdn/dist/screen.js",
    style: "https://cdn/media/screen.css",
    state: { subject: '"><script>', fit: true, readOnly: false, layout: "us" },
  });
  expect(html).toContain(
    `content="default-src 'none'; img-src data:; style-src https://*.vscode-cdn.net; script-src 'nonce-n0nce'"`,
  );
  expect(html.match(/<script[^>]*>/g)).toEqual([
    '<script type="module" nonce="n0nce" src="https://cdn/dist/screen.js">',
  ]);
  expect(html).not.toMatch(/ style="| on[a-z]+="/);
});
