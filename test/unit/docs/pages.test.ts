import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root, textOf } from "../../../scripts/docs/citations.ts";
import { writtenPages } from "../../../scripts/docs/pages.ts";

test.each(await writtenPages())(
  "$path is what `npm run docs` writes now",
  ({ path, text }) => {
    expect(
      existsSync(join(root, path)) && textOf(path) === text,
      `${path} is out of date: run "npm run docs" and commit what it writes.`,
    ).toBe(true);
  },
);
