import type { Locator, Page } from "playwright-core";
import type { PageGlobal } from "./dom.ts";
import { pick, runCommand } from "./quickInput.ts";

const toast = (page: Page, text: string | RegExp): Locator =>
  page.locator(".notification-toast:visible").filter({
    has: page.locator(".notification-list-item-message").getByText(text),
  });

/** The messages of the notifications shown now. */
export async function notifications(page: Page): Promise<string[]> {
  return page
    .locator(".notification-toast:visible .notification-list-item-message")
    .allInnerTexts();
}

/** Waits for a notification; its full message. */
export async function waitForNotification(
  page: Page,
  text: string | RegExp,
  timeoutMs = 30_000,
): Promise<string> {
  const found = toast(page, text).first();
  await found.waitFor({ timeout: timeoutMs });
  return found.locator(".notification-list-item-message").innerText();
}

/** Presses a button of a notification. */
export async function pressInNotification(
  page: Page,
  text: string | RegExp,
  button: string,
): Promise<void> {
  const found = toast(page, text).first();
  await found.hover();
  await found.getByRole("button", { name: button, exact: true }).click();
}

/** Presses a button of a modal dialog that says `text`. */
export async function pressInDialog(
  page: Page,
  text: string | RegExp,
  button: string,
): Promise<void> {
  const dialog = page
    .locator(".monaco-dialog-box:visible")
    .filter({ hasText: text });
  await dialog.getByRole("button", { name: button, exact: true }).click();
}

/** Shows an output channel by its name. */
export async function showOutput(page: Page, channel: string): Promise<void> {
  await runCommand(page, "Output: Show Output Channels...");
  await pick(page, channel);
  await outputEditor(page).waitFor();
}

const outputEditor = (page: Page): Locator =>
  page.locator(".part.panel .output-view .monaco-editor").first();

/**
 * The whole text of the output channel that is shown. It is copied through the clipboard, as the editor only renders
 * the lines in sight.
 */
export async function outputText(page: Page): Promise<string> {
  // Focused without a click: a click on an older line would stop the channel from following new output.
  await outputEditor(page)
    .locator(".native-edit-context, textarea.inputarea")
    .first()
    .focus();
  await page.evaluate(() =>
    (globalThis as unknown as PageGlobal).navigator.clipboard.writeText(""),
  );
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("ControlOrMeta+C");
  // At the end again, where the view follows what is to come.
  await page.keyboard.press("ControlOrMeta+End");
  const text = await page.evaluate(() =>
    (globalThis as unknown as PageGlobal).navigator.clipboard.readText(),
  );
  return text.replaceAll("\u00a0", " ").replaceAll("\r\n", "\n");
}
