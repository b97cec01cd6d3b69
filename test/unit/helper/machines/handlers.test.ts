import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { methods } from "../../../../src/protocol/contract.ts";

const helper = resolve(import.meta.dirname, "../../../../src/helper");

test.each([
  ["machines", "machines"],
  ["checkpoints", "machines/saved"],
  ["templates", "machines/warm"],
  ["pool", "machines/pool"],
  ["selfTest", "machines/selfTest"],
  ["storage", "storage"],
])(
  "%s.* is answered in %s, all of it and nothing else",
  async (prefix, room) => {
    const path = join(helper, room, "handlers.ts");
    const text = await readFile(path, "utf8");
    // A method's name before a colon names its handler.
    const answered = [...text.matchAll(/"(\w+\.\w+)":/g)].map(
      ([, name]) => name,
    );
    expect(answered.sort()).toEqual(
      Object.keys(methods)
        .filter((name) => name.startsWith(`${prefix}.`))
        .sort(),
    );
  },
);
