import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import type { EditorServer } from "./server.ts";

const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...[
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
];

/** Chromium without a window, with a fresh profile inside the server's run directory. */
export async function startBrowser(
  server: EditorServer,
): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(
    join(server.runDir, "chromium"),
    {
      executablePath: server.tools.chromium,
      headless: true,
      args: flags,
      viewport: { width: 1280, height: 800 },
      deviceScaleFactor: 1,
    },
  );
  await context.grantPermissions(["clipboard-read", "clipboard-write"], {
    origin: server.url,
  });
  return context;
}

/** A page address of the workbench, with what it should open and what it should be told. */
export function workbenchUrl(
  server: EditorServer,
  options: { folder?: string; payload?: [string, string][] } = {},
): string {
  const url = new URL(server.url);
  if (options.folder !== undefined)
    url.searchParams.set("folder", options.folder);
  else url.searchParams.set("ew", "true");
  if (options.payload !== undefined)
    url.searchParams.set("payload", JSON.stringify(options.payload));
  return url.href;
}

/** VS Code's own, on a busy computer: an element is gone before what was put off for it. */
const ofTheEditor = /^Cannot read properties of null \(reading 'classList'\)$/;

/** The single page of a context, with what goes wrong inside of it written to `report`. */
export function onlyPage(
  context: BrowserContext,
  report: (line: string) => void,
): Page {
  const page = context.pages()[0];
  if (page === undefined) throw new Error("The browser has no page.");
  page.on("pageerror", (error) => {
    if (!ofTheEditor.test(error.message))
      report(`page error: ${error.stack ?? error.message}`);
  });
  page.on("crash", () => report("the page crashed"));
  return page;
}
