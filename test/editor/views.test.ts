import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { endings, pictureFailures } from "./harness/endings.ts";
import { openHouse, startEditor, type TestHouse } from "./harness/house.ts";
import { offersCommand, runCommand } from "./harness/quickInput.ts";
import {
  openWorkbench,
  picture,
  renderedPage,
  showContainer,
  statusBar,
  treeRow,
  treeRows,
  welcomeButton,
} from "./harness/workbench.ts";

const atEnd = endings();
let at: TestHouse;
let page: Page;
let problems: string[];

pictureFailures(() => page);

beforeAll(async () => {
  at = await openHouse();
  atEnd(at.close);
  const server = await startEditor(at);
  atEnd(server.stop);
  const window = await openWorkbench(server);
  atEnd(window.close);
  ({ page, problems } = window);
  await showContainer(page, "Guesthouse");
});

test("an empty Machines view offers the first VM", async () => {
  await welcomeButton(page, "Machines", "Create Your First VM").waitFor();
  expect(await treeRows(page, "Machines")).toEqual([]);
});

test("the Images view lists the catalog, and says that nothing of it is here yet", async () => {
  await treeRow(page, "Images", "debian-12").waitFor();
  const rows = await treeRows(page, "Images");
  const listed = await at.house.json<{ name: string }[]>(["image", "list"]);
  expect(rows.map(({ label }) => label).toSorted()).toEqual(
    listed.map(({ name }) => name).toSorted(),
  );
  for (const { description } of rows)
    expect(description).toBe("not on this computer yet");
});

test("the palette offers what can be done now, and nothing else", async () => {
  expect(await offersCommand(page, "Guesthouse: Create VM")).toBe(true);
  expect(await offersCommand(page, "Guesthouse: Check This Computer")).toBe(
    true,
  );
  expect(await offersCommand(page, "Guesthouse: Start VM")).toBe(false);
});

test("Check This Computer shows a page with what was found and what mends it", async () => {
  await runCommand(page, "Guesthouse: Check This Computer");
  await page.locator(".tab", { hasText: "Host check" }).first().waitFor();
  const report = renderedPage(page);
  await report.getByRole("heading", { name: "Host check" }).waitFor();
  const text = await report.locator("body").innerText();
  expect(text).toContain("This computer is ready for VMs.");
  expect(text).toContain("qemu-system-");
  await picture(page, "screenshot-doctor.png");
});

test("the status bar is quiet while nothing goes on", async () => {
  const texts = await statusBar(page);
  expect(texts.filter((text) => /guesthouse/i.test(text))).toEqual([]);
});

test("the window came up without an error in the page", () => {
  expect(problems).toEqual([]);
});
