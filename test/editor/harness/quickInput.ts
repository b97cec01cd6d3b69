import type { Locator, Page } from "playwright-core";

const widget = (page: Page): Locator =>
  page.locator(".quick-input-widget:visible");
const input = (page: Page): Locator =>
  widget(page).locator("input[type=text], input[type=password]").first();

/** Runs a command from the palette by its full title, `Category: Title`. */
export async function runCommand(page: Page, title: string): Promise<void> {
  await page.keyboard.press("F1");
  await input(page).fill(`>${title}`);
  await pick(page, title);
  // What the command itself asks comes up in the same widget. Titles that begin with this one are told by it, too.
  await row(page, title).first().waitFor({ state: "hidden" });
}

/** Whether the palette offers a command now (its `when` holds). */
export async function offersCommand(
  page: Page,
  title: string,
): Promise<boolean> {
  await page.keyboard.press("F1");
  await input(page).fill(`>${title}`);
  const rows = widget(page).locator(".quick-input-list .monaco-list-row");
  await rows.first().waitFor();
  const offered = (await row(page, title).count()) > 0;
  await page.keyboard.press("Escape");
  await widget(page).waitFor({ state: "hidden" });
  return offered;
}

/** A quick-pick row by its label (not its description). */
function row(page: Page, label: string | RegExp): Locator {
  const name = page
    .locator(".label-name")
    .getByText(label, typeof label === "string" ? { exact: true } : {});
  return widget(page)
    .locator(".quick-input-list .monaco-list-row")
    .filter({ has: name });
}

/** Chooses a quick-pick row by its label. */
export async function pick(page: Page, label: string | RegExp): Promise<void> {
  await row(page, label).first().click();
}

/** Chooses a file of the folder that an *Open* dialog with this title begins in. */
export async function chooseFile(
  page: Page,
  title: string | RegExp,
  name: string,
): Promise<void> {
  await widget(page).locator(".quick-input-title").getByText(title).waitFor();
  await pick(page, name);
}

/** The labels that a quick pick shows, after it shows any. */
export async function pickLabels(page: Page): Promise<string[]> {
  const rows = widget(page).locator(".quick-input-list .monaco-list-row");
  for (;;) {
    await rows.first().waitFor();
    const labels = await rows
      .locator(".quick-input-list-row .label-name")
      .allInnerTexts();
    // Between two questions the rows of the first may be gone by now.
    if (labels.length > 0) return labels;
  }
}

/** Types into the input box that asks for something and confirms. */
export async function answer(page: Page, text: string): Promise<void> {
  await input(page).fill(text);
  await page.keyboard.press("Enter");
}

/** The question an input box or pick shows: its title, prompt and placeholder in one line. */
export async function question(page: Page): Promise<string> {
  await widget(page).waitFor();
  const title = await widget(page).locator(".quick-input-title").innerText();
  const message = await widget(page)
    .locator(".quick-input-message")
    .innerText();
  const placeholder = (await input(page).getAttribute("placeholder")) ?? "";
  return [title, placeholder, message]
    .filter((part) => part.trim() !== "")
    .join(" · ");
}

export async function dismiss(page: Page): Promise<void> {
  await page.keyboard.press("Escape");
  await widget(page).waitFor({ state: "hidden" });
}
