import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { scratch } from "../../fakes/scratch.ts";
import {
  type WrittenFeatures,
  writtenRegistry,
} from "../../fakes/writtenRegistry.ts";
import { decide, type Decision } from "./specDecision.ts";
import { fixturesPage } from "./specPage.ts";

/* What of the reference implementation's own fixtures is done: each has a folder of the same shape here. */

const root = join(import.meta.dirname, "..", "..", "..");
const fixtures = join(root, "test", "fixtures", "devcontainer-spec");

const indexSchema = z.array(
  z.object({
    name: z.string(),
    exercises: z.string(),
    config: z.string().optional(),
  }),
);

const readJson = async (path: string): Promise<unknown> =>
  JSON.parse(await readFile(join(fixtures, path), "utf8"));

// To write it anew: npx vitest run --project process specFixtures -u
test("docs/devcontainer-fixtures.md says what becomes of each fixture of the specification", async () => {
  const index = indexSchema.parse(await readJson("index.json"));
  const http = writtenRegistry(
    (await readJson("registry.json")) as WrittenFeatures,
  );
  const layout = { cache: join(await scratch(), "cache") };
  const rows: (Decision & (typeof index)[number])[] = [];
  for (const fixture of index) {
    const folder = join(fixtures, fixture.name);
    rows.push({
      ...fixture,
      ...(await decide(folder, fixture.config, { http, layout })),
    });
  }
  // Not as Prettier would have it, which pads each cell of a table to the longest.
  await expect(fixturesPage(rows)).toMatchFileSnapshot(
    join(root, "docs", "devcontainer-fixtures.md"),
  );
});
