import { beforeAll, expect, test } from "vitest";
import { endings } from "./harness/endings.ts";
import { openHouse, startEditor, type TestHouse } from "./harness/house.ts";
import { offersCommand } from "./harness/quickInput.ts";
import {
  openWorkbench,
  showContainer,
  statusBar,
  treeRow,
  treeRows,
  welcomeButton,
  type Workbench,
} from "./harness/workbench.ts";

const atEnd = endings();
let at: TestHouse;
let window: Workbench;

beforeAll(async () => {
  at = await openHouse();
  atEnd(at.close);
  const server = await startEditor(at);
  atEnd(server.stop);
  window = await openWorkbench(server);
  atEnd(window.close);
  await showContainer(window.page, "Guesthouse");
});

test("an empty Machines view offers the first VM", async () => {
  await welcomeButton(
    window.page,
    "Machines",
    "Create Your First VM",
  ).waitFor();
  expect(await treeRows(window.page, "Machines")).toEqual([]);
});

test("the Images view lists the catalog, and says that nothing of it is here yet", async () => {
  await treeRow(window.page, "Images", "debian-12").waitFor();
  const rows = await treeRows(window.page, "Images");
  const listed = await at.house.json<{ name: string }[]>(["image", "list"]);
  expect(rows.map(({ label }) => label).toSorted()).toEqual(
    listed.map(({ name }) => name).toSorted(),
  );
  for (const { description } of rows)
    expect(description).toBe("not on this computer yet");
});

test("the palette offers what can be done now, and nothing else", async () => {
  const { page } = window;
  expect(await offersCommand(page, "Guesthouse: Create VM")).toBe(true);
  expect(await offersCommand(page, "Guesthouse: Check This Computer")).toBe(
    true,
  );
  expect(await offersCommand(page, "Guesthouse: Start VM")).toBe(false);
});

test("the status bar is quiet while nothing goes on", async () => {
  const texts = await statusBar(window.page);
  expect(texts.filter((text) => /guesthouse/i.test(text))).toEqual([]);
});

test("the window came up without an error in the page", () => {
  expect(window.problems).toEqual([]);
});
