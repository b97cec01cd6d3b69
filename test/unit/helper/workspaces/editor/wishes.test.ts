import { expect, test } from "vitest";
import { planDotfiles } from "../../../../../src/helper/workspaces/editor/dotfiles.ts";
import { extensionsOf } from "../../../../../src/helper/workspaces/editor/extensions.ts";
import { recommendedSecrets } from "../../../../../src/helper/workspaces/editor/secrets.ts";

const wishes = (
  ...extensions: string[]
): { install: string[]; wrong: string[] } =>
  extensionsOf({ customizations: { vscode: { extensions } } });

test("extensions: each once, by publisher and name, a version where one is asked for", () => {
  expect(
    wishes("a.b", "ms-python.python@2025.1.0", "A.B", "golang.Go"),
  ).toMatchObject({
    install: ["A.B", "ms-python.python@2025.1.0", "golang.Go"],
  });
  expect(wishes("a.b", "-A.b", "c.d")).toMatchObject({ install: ["c.d"] });
  expect(extensionsOf({})).toEqual({ install: [], wrong: [] });
});

test("extensions: a path, an address or an option is no id", () => {
  const wrong = [
    "./evil.vsix",
    "https://x/y.vsix",
    "--force",
    "python",
    "a.b c",
  ];
  expect(wishes(...wrong)).toEqual({ install: [], wrong });
});

test("secrets: in the file's order, with an address only where a browser may go", () => {
  expect(
    recommendedSecrets({
      secrets: {
        TOKEN: { description: "for x", documentationUrl: "https://x/docs" },
        OTHER: { documentationUrl: "file:///etc/passwd" },
        LAST: { documentationUrl: "no address" },
      },
    }),
  ).toEqual([
    {
      name: "TOKEN",
      description: "for x",
      documentationUrl: "https://x/docs",
    },
    { name: "OTHER" },
    { name: "LAST" },
  ]);
});

const addressOf = (repository: string): string | undefined =>
  planDotfiles({ repository }).steps[0]?.argv[4];

test("dotfiles: owner/name is on GitHub, everything else is what it says", () => {
  expect(addressOf("me/dots")).toBe("https://github.com/me/dots.git");
  expect(addressOf("me/dots.git")).toBe("https://github.com/me/dots.git");
  expect(addressOf("gitlab.com/me/dots")).toBe("https://gitlab.com/me/dots");
  for (const same of ["git@host:me/dots", "file:///srv/x", "/srv/x", "~/x"])
    expect(addressOf(same)).toBe(same);
});

test("dotfiles: a password in the address is hidden, the name beside it is not", () => {
  const hidden = (repository: string): readonly string[] =>
    planDotfiles({ repository }).hidden;
  expect(hidden("https://me:pa%40ss@host/x")).toEqual(["pa%40ss", "pa@ss"]);
  expect(hidden("https://ghp_token@host/x")).toContain("ghp_token");
  expect(hidden("me/dots")).toEqual([]);
  expect(planDotfiles(undefined)).toEqual({ steps: [], hidden: [] });
});
