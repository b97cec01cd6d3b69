import { describe, expect, test } from "vitest";
import { filesBelow, textOf } from "../../../scripts/docs/citations.ts";
import { layoutOf } from "../../../src/helper/store/layout.ts";

const page = textOf("docs/architecture.md");
const files = filesBelow(["src", "test", "scripts", "resources"], /./);

/** The files that the page names, each as it is written: `boot/launch.ts`. Pure. */
const filesNamed = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/(?<![\w/*<>{}.])[\w./-]*\w\.(?:ts|mjs|py)\b/g)].map(
      ([name]) => name,
    ),
  ),
];

/** Folders that the page names from the root: `src/extension/machines/`. Pure. */
const foldersNamed = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/`((?:src|test|scripts|resources)\/[\w/-]+)\/`/g)].map(
      ([, name = ""]) => name,
    ),
  ),
];

describe("docs/architecture.md", () => {
  test("names no file and no folder that isn't there", () => {
    const named = filesNamed(page);
    expect(named.length).toBeGreaterThan(20);
    expect(
      named.filter(
        (name) => !files.some((path) => `/${path}`.endsWith(`/${name}`)),
      ),
    ).toEqual([]);
    expect(
      foldersNamed(page).filter(
        (name) => !files.some((path) => path.startsWith(`${name}/`)),
      ),
    ).toEqual([]);
  });

  test("names no function that isn't declared in the file it is said to be in", () => {
    const named = [...page.matchAll(/`([\w./-]+\.ts): (\w+)`/g)].map(
      ([, file = "", name = ""]) => ({ file, name }),
    );
    expect(named.length).toBeGreaterThan(30);
    const declares = (file: string, name: string): boolean =>
      files
        .filter((path) => `/${path}`.endsWith(`/${file}`))
        .some((path) =>
          new RegExp(
            `(?:function\\*?|const|class|interface|type) ${name}\\b`,
          ).test(textOf(path)),
        );
    expect(named.filter(({ file, name }) => !declares(file, name))).toEqual([]);
  });

  test.skipIf(process.platform === "win32")(
    "lists what store/layout.ts names, and nothing else (skipped on Windows, where sockets are pipes)",
    () => {
      const block = /## On disk[\s\S]*?```\n([\s\S]*?)```/.exec(page)?.[1];
      const listed = pathsIn(block ?? "");
      const named = pathsOfLayout();
      const isFolder = (path: string): boolean =>
        listed.some((other) => other.startsWith(`${path}/`));
      expect(
        named.filter((path) => !listed.includes(path) && !isFolder(path)),
      ).toEqual([]);
      expect(listed.filter((path) => !named.includes(path))).toEqual([]);
    },
  );
});

/** `a/<id>/x y   what they are` → a/<id>/x, a/<id>/y. Pure. */
function pathsIn(block: string): string[] {
  return block.split("\n").flatMap((line) => {
    // The names end with their column, which one space may separate from the words.
    const [names = ""] =
      /^[\w<>./-]+(?: [\w<>./-]+)*/.exec(line.slice(0, 44).trimEnd()) ?? [];
    const [first = "", ...others] = names.split(" ");
    if (first === "") return [];
    const folder = first.slice(0, first.lastIndexOf("/", first.length - 2) + 1);
    return [first, ...others.map((name) => `${folder}${name}`)].map((path) =>
      path.replace(/\/$/, ""),
    );
  });
}

/** What each function of the layout is called with, where that isn't one id. */
const parameters: Readonly<Record<string, readonly string[]>> = {
  image: ["<digest>"],
  install: ["<name>", "<id>"],
};

/** Every path of the layout, from the data folder. */
function pathsOfLayout(): string[] {
  const found = new Set<string>();
  const visit = (value: unknown, key: string): void => {
    if (typeof value === "string") found.add(value.slice("/data/".length));
    else if (typeof value === "function")
      visit(
        (value as (...ids: readonly string[]) => unknown)(
          ...(parameters[key] ?? ["<id>"]),
        ),
        key,
      );
    else if (typeof value === "object" && value !== null)
      for (const [name, inner] of Object.entries(value)) visit(inner, name);
  };
  const { home, ...layout } = layoutOf("/data", {});
  expect(home).toBe("/data");
  visit(layout, "");
  return [...found];
}
