import { join } from "node:path";
import type { FrameLocator, Locator, Page } from "playwright-core";
import { onlyPage, startBrowser, workbenchUrl } from "./browser.ts";
import type { DomElement } from "./dom.ts";
import type { EditorServer } from "./server.ts";

export interface Workbench {
  page: Page;
  /** Errors of the page, in order. */
  problems: string[];
  close: () => Promise<void>;
}

/** Opens a VS Code window and waits until it can be used. */
export async function openWorkbench(
  server: EditorServer,
  options: { folder?: string } = {},
): Promise<Workbench> {
  const context = await startBrowser(server);
  const problems: string[] = [];
  const page = onlyPage(context, (line) => problems.push(line));
  page.setDefaultTimeout(30_000);
  await page.goto(workbenchUrl(server, options));
  await waitUntilUsable(page);
  return { page, problems, close: () => context.close() };
}

/** Reloads the window, as a user's *Reload Window* does. */
export async function reloadWorkbench(page: Page): Promise<void> {
  await page.reload();
  await waitUntilUsable(page);
}

async function waitUntilUsable(page: Page): Promise<void> {
  await page
    .locator(".monaco-workbench .activitybar")
    .waitFor({ timeout: 60_000 });
  await page.locator(".statusbar-item").first().waitFor();
}

/** Shows an activity-bar container by its title; does nothing when it is shown already (a click would hide it). */
export async function showContainer(page: Page, title: string): Promise<void> {
  const icon = page.locator(
    `.activitybar .action-item:has(a.action-label[aria-label^="${title}"])`,
  );
  await icon.waitFor();
  if (!(await icon.getAttribute("class"))?.includes("checked"))
    await icon.locator("a.action-label").click();
  await page
    .locator(`.sidebar .composite.title h2:text-matches("^${title}", "i")`)
    .waitFor();
}

/** A view (tree or welcome text) inside of the side bar, by its title. */
export function view(page: Page, title: string): Locator {
  return page
    .locator(".sidebar .pane")
    .filter({ has: page.locator(`.pane-header[aria-label^="${title}"]`) });
}

/** Unfolds a view when it is folded. */
export async function unfoldView(page: Page, title: string): Promise<Locator> {
  const header = view(page, title).locator(".pane-header");
  await header.waitFor();
  if ((await header.getAttribute("aria-expanded")) === "false")
    await header.click();
  return view(page, title);
}

export interface TreeRow {
  label: string;
  description: string;
  /** What a screen reader says. */
  ariaLabel: string;
  level: number;
  expanded: boolean | undefined;
}

/** The rows that a tree shows right now. */
export async function treeRows(
  page: Page,
  viewTitle: string,
): Promise<TreeRow[]> {
  return view(page, viewTitle)
    .locator(".monaco-list-row")
    .evaluateAll((rows: DomElement[]) =>
      rows.map((row) => ({
        label: row.querySelector(".label-name")?.textContent ?? "",
        description: row.querySelector(".label-description")?.textContent ?? "",
        ariaLabel: row.getAttribute("aria-label") ?? "",
        level: Number(row.getAttribute("aria-level")),
        expanded: row.hasAttribute("aria-expanded")
          ? row.getAttribute("aria-expanded") === "true"
          : undefined,
      })),
    );
}

/** The row with this label; pass a description to wait for a state. */
export function treeRow(
  page: Page,
  viewTitle: string,
  label: string,
  description?: RegExp,
): Locator {
  const row = view(page, viewTitle)
    .locator(".monaco-list-row")
    .filter({
      has: page.locator(".label-name").getByText(label, { exact: true }),
    });
  return description === undefined
    ? row
    : row.filter({
        has: page.locator(".label-description").getByText(description),
      });
}

/** Presses an action that a row shows when the mouse is over it. */
export async function inlineAction(row: Locator, title: string): Promise<void> {
  await row.hover();
  await row.locator(`a.action-label[aria-label^="${title}"]`).click();
}

/** The actions that a row offers when the mouse is over it. */
export async function inlineActions(row: Locator): Promise<string[]> {
  await row.hover();
  return row
    .locator("a.action-label")
    .evaluateAll((actions: DomElement[]) =>
      actions.map((action) => action.getAttribute("aria-label") ?? ""),
    );
}

/** Chooses from a row's context menu. */
export async function contextAction(
  row: Locator,
  title: string,
): Promise<void> {
  await row.click({ button: "right" });
  const page = row.page();
  const item = menu(page)
    .locator(".action-item")
    .filter({ has: page.getByRole("menuitem", { name: title, exact: true }) });
  await item.hover();
  // A menu ignores the mouse buttons for a moment after it opened, so the keyboard confirms.
  await item.and(page.locator(".focused")).waitFor();
  await page.keyboard.press("Enter");
}

/** What a row's context menu offers; the menu is closed again. */
export async function contextActions(row: Locator): Promise<string[]> {
  await row.click({ button: "right" });
  const items = menu(row.page()).getByRole("menuitem");
  await items.first().waitFor();
  const titles = await items.evaluateAll((all: DomElement[]) =>
    all.map((item) => item.querySelector(".action-label")?.textContent ?? ""),
  );
  await row.page().keyboard.press("Escape");
  return titles;
}

/** The button of an empty view's welcome text. */
export function welcomeButton(
  page: Page,
  viewTitle: string,
  title: string,
): Locator {
  return view(page, viewTitle)
    .locator(".welcome-view")
    .getByRole("button", { name: title, exact: true });
}

/** Presses an action in a view's title bar. */
export async function titleAction(
  page: Page,
  viewTitle: string,
  title: string,
): Promise<void> {
  const header = view(page, viewTitle).locator(".pane-header");
  await header.hover();
  await header.locator(`a.action-label[aria-label^="${title}"]`).click();
}

const menu = (page: Page): Locator =>
  page.locator(".context-view .monaco-menu, .monaco-menu-container").last();

/** The inside of the web view that is shown, such as a rendered Markdown page. */
export function renderedPage(page: Page): FrameLocator {
  return page
    .frameLocator("iframe.webview.ready:visible")
    .frameLocator("iframe#active-frame");
}

/** Lines of the status bar, left to right. */
export async function statusBar(page: Page): Promise<string[]> {
  const items = page.locator(".statusbar-item:visible");
  return items.evaluateAll((all: DomElement[]) =>
    all
      .map((item) => (item.textContent ?? "").trim())
      .filter((text) => text !== ""),
  );
}

/** Takes a picture of the window for the README, into the folder that GUESTHOUSE_PICTURES names; none without it. */
export async function picture(page: Page, file: string): Promise<void> {
  const folder = process.env["GUESTHOUSE_PICTURES"];
  if (folder === undefined) return;
  // Notifications of other tests and the mouse's hover marks don't belong in it.
  await page.mouse.move(0, 0);
  await page.screenshot({
    path: join(folder, file),
    animations: "disabled",
    caret: "hide",
  });
}
