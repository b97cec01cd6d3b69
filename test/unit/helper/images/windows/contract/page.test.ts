import { join } from "node:path";
import { format } from "prettier";
import { expect, test } from "vitest";
import { windowsPage } from "../../../../../../src/helper/images/windows/contract/page.ts";
import { root, sources } from "../house.ts";

// To write it anew: npx vitest run --project unit test/unit/helper/images/windows -u
test("B31: docs/windows.md says what the manifest says", async () => {
  await expect(
    await format(windowsPage(sources), { parser: "markdown" }),
  ).toMatchFileSnapshot(join(root, "docs", "windows.md"));
});
