import { join } from "node:path";
import { format } from "prettier";
import { expect, test } from "vitest";
import * as z from "zod";
import {
  devcontainerSchema,
  guesthouseSchema,
} from "../../../../../src/helper/workspaces/devcontainer/model.ts";
import {
  support,
  supportPage,
} from "../../../../../src/helper/workspaces/devcontainer/support.ts";

const root = join(import.meta.dirname, "..", "..", "..", "..", "..");

/** Top-level properties of the model; below the groups that the table takes apart, theirs. */
const modelled = Object.keys(devcontainerSchema.shape);
const tabled = new Set(
  Object.keys(support).map((path) => path.split(".")[0] ?? ""),
);

test("every property of the model stands in the support table, and no other", () => {
  expect([...tabled].sort()).toEqual([...modelled].sort());
  for (const name of Object.keys(guesthouseSchema.shape))
    expect(support).toHaveProperty([`customizations.guesthouse.${name}`]);
});

// To write it anew: npx vitest run --project unit support -u
test("docs/devcontainer.md says what the table says", async () => {
  await expect(
    await format(supportPage(), { parser: "markdown" }),
  ).toMatchFileSnapshot(join(root, "docs", "devcontainer.md"));
});

test("the schema that editors complete from is the one that files are checked with", async () => {
  const { $schema, ...guesthouse } = z.toJSONSchema(guesthouseSchema, {
    target: "draft-7",
  });
  const schema = {
    $schema,
    title: "What Guesthouse adds to a devcontainer.json",
    allowComments: true,
    allowTrailingCommas: true,
    type: "object",
    properties: {
      customizations: { type: "object", properties: { guesthouse } },
    },
  };
  await expect(
    await format(JSON.stringify(schema), { parser: "json" }),
  ).toMatchFileSnapshot(
    join(root, "resources", "schemas", "devcontainer.schema.json"),
  );
});
