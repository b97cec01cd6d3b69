import { expect, test } from "vitest";
import { lastLines } from "../../../../../src/helper/cli/machines/log.ts";

test("the last lines of a text, with or without a break at its end", () => {
  expect(lastLines("a\nb\nc\n", 2)).toBe("b\nc\n");
  expect(lastLines("a\nb\nc", 2)).toBe("b\nc");
  expect(lastLines("a\n", 5)).toBe("a\n");
  expect(lastLines("a\nb\n", 0)).toBe("");
});
