import { expect, test } from "vitest";
import { afterUseOf } from "../../../../../src/helper/workspaces/known/afterUse.ts";

test("a VM goes on after use unless its file says otherwise; ephemeral says most", () => {
  expect(afterUseOf({})).toBeUndefined();
  expect(afterUseOf({ shutdownAction: "none" })).toBeUndefined();
  expect(afterUseOf({ shutdownAction: "stopContainer" })).toBe("stop");
  expect(afterUseOf({ shutdownAction: "stopCompose" })).toBe("stop");
  const ephemeral = { customizations: { guesthouse: { ephemeral: true } } };
  expect(afterUseOf({ ...ephemeral, shutdownAction: "none" })).toBe("delete");
});
