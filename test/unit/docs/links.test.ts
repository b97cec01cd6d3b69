import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { filesBelow, root, textOf } from "../../../scripts/docs/citations.ts";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...filesBelow(["docs"], /\.md$/),
].map((path) => ({ path, text: withoutCode(textOf(path)) }));

/** What stands in code isn't a link. Pure. */
function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "");
}

/** The targets of a page's links and pictures. Pure. */
const linksIn = (text: string): string[] =>
  [...text.matchAll(/\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g)].map(
    ([, target = ""]) => target,
  );

/** The anchors of a page's headings, as GitHub spells them. Pure. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  return new Set(
    [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => {
      const anchor = heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replaceAll(/\s/g, "-");
      const before = seen.get(anchor) ?? 0;
      seen.set(anchor, before + 1);
      return before === 0 ? anchor : `${anchor}-${String(before)}`;
    }),
  );
}

function leadsNowhere(from: string, target: string): boolean {
  if (/^[a-z]+:/i.test(target)) return false;
  const [name = "", anchor] = target.split("#");
  const path = name === "" ? join(root, from) : join(root, dirname(from), name);
  if (!existsSync(path)) return true;
  return (
    anchor !== undefined &&
    (statSync(path).isDirectory() ||
      !anchorsOf(textOf(relative(root, path))).has(anchor))
  );
}

test("every link of README.md, CONTRIBUTING.md and docs/ leads somewhere", () => {
  const broken = pages.flatMap(({ path, text }) =>
    linksIn(text)
      .filter((target) => leadsNowhere(path, target))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});

describe("links", () => {
  test("are found, with anchors, but not in code", () => {
    expect(
      linksIn(
        withoutCode("[a](b.md) ![c](d.png) `[e](f.md)`\n```\n[g](h)\n```\n"),
      ),
    ).toEqual(["b.md", "d.png"]);
  });

  test.each([
    ["missing.md", true],
    ["docs/architecture.md", false],
    ["docs/architecture.md#invariants", false],
    ["docs/architecture.md#no-such-heading", true],
    ["https://example.com/#x", false],
  ])("%s leads nowhere: %s", (target, nowhere) => {
    expect(leadsNowhere("README.md", target)).toBe(nowhere);
  });
});

test("docs/README.md names every page", () => {
  const index = linksIn(textOf("docs/README.md"));
  expect(
    filesBelow(["docs"], /\.md$/)
      .map((path) => path.slice("docs/".length))
      .filter(
        (path) =>
          path !== "README.md" &&
          (!path.startsWith("decisions/") || path === "decisions/README.md") &&
          !index.includes(path),
      ),
  ).toEqual([]);
});

test("docs/decisions/README.md has every decision, by its number and title", () => {
  const index = textOf("docs/decisions/README.md");
  const files = readdirSync(join(root, "docs/decisions")).filter((name) =>
    /^\d/.test(name),
  );
  const rows = new Map(
    [
      ...index.matchAll(
        /^\| (\d{4}) +\| \[([^\]]+)\]\((\d{4}-[^)]+)\) +\| [^|]*\S[^|]* +\| in force/gm,
      ),
    ].map(([, number, title, file = ""]) => [file, { number, title }]),
  );
  expect(Object.fromEntries(rows)).toEqual(
    Object.fromEntries(
      files.map((name) => [
        name,
        {
          number: name.slice(0, 4),
          title: textOf(`docs/decisions/${name}`).split("\n")[0]?.slice(2),
        },
      ]),
    ),
  );
});
