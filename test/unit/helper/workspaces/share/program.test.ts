import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import {
  programFiles,
  readShareProgram,
} from "../../../../../src/helper/workspaces/share/program.ts";

const folder = resolve(
  import.meta.dirname,
  "../../../../../resources/guest/share",
);

test("the guest's half is sent whole, and each file imports only from those before it", async () => {
  expect((await readdir(folder)).sort()).toEqual(
    programFiles.map((name) => `${name}.py`).sort(),
  );
  const loaded = new Set<string>();
  for (const name of programFiles) {
    const text = await readFile(join(folder, `${name}.py`), "utf8");
    const imports = [...text.matchAll(/^ *(?:from|import) share\b.*$/gm)];
    for (const [line] of imports)
      expect([...loaded]).toContain(
        /^from share\.(\w+) import/.exec(line)?.[1],
      );
    loaded.add(name);
  }
  const sent: unknown = JSON.parse(String(await readShareProgram(folder)));
  expect(sent).toEqual(
    programFiles.map((name) => [`share.${name}`, expect.any(String) as string]),
  );
});
