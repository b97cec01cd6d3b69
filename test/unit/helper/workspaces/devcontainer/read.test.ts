import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configsIn } from "../../../../../src/helper/workspaces/branches/openConfiguration.ts";
import { findConfigs } from "../../../../../src/base/devcontainerFiles.ts";
import { chooseConfig } from "../../../../../src/helper/workspaces/devcontainer/find.ts";
import { readConfiguration } from "../../../../../src/helper/workspaces/devcontainer/read.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "config-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function put(path: string, text: string): Promise<void> {
  await mkdir(join(folder, dirname(path)), { recursive: true });
  await writeFile(join(folder, path), text);
}
const usual = ".devcontainer/devcontainer.json";

describe("finding the file", () => {
  test("all three places, and nothing else", async () => {
    await put(usual, "{}");
    await put(".devcontainer.json", "{}");
    await put(".devcontainer/rust/devcontainer.json", "{}");
    await put(".devcontainer/rust/deeper/devcontainer.json", "{}");
    await put(".devcontainer/notes.md", "");
    expect(await findConfigs(folder)).toEqual([
      usual,
      ".devcontainer.json",
      ".devcontainer/rust/devcontainer.json",
    ]);
  });

  test("a folder without one, and one whose .devcontainer is a file", async () => {
    expect(await findConfigs(folder)).toEqual([]);
    await put(".devcontainer", "");
    expect(await findConfigs(folder)).toEqual([]);
  });

  test("the usual places go before folders of their own, which are refused with the list where there are several", () => {
    const own = ["go", "rust"].map(
      (name) => `.devcontainer/${name}/devcontainer.json`,
    );
    expect(chooseConfig([usual, ".devcontainer.json", ...own], undefined)).toBe(
      usual,
    );
    expect(chooseConfig([".devcontainer.json", ...own], undefined)).toBe(
      ".devcontainer.json",
    );
    expect(chooseConfig(own.slice(1), undefined)).toBe(own[1]);
    expect(() => chooseConfig(own, undefined)).toThrow(
      /several configurations: .*go.*rust/,
    );
  });

  test("--config takes a path or a name", () => {
    const found = [usual, ".devcontainer/rust/devcontainer.json"];
    expect(chooseConfig(found, "rust")).toBe(found[1]);
    expect(chooseConfig(found, "./.devcontainer/devcontainer.json")).toBe(
      usual,
    );
    expect(() => chooseConfig(found, "go")).toThrow(/no configuration “go”/);
    expect(chooseConfig([], undefined)).toBeUndefined();
  });
});

test("of several, a person sees the name, what each makes, and of what", async () => {
  await put(
    usual,
    '{"name": "Shop", "dockerComposeFile": "compose.yml", "service": "app"}',
  );
  for (const [name, text] of Object.entries({
    broken: "{",
    docker: '{"build": {"dockerfile": "../Dockerfile"}}',
    image: '{"image": "acme/base:1"}',
    own: '{"image": "acme/base:1", "customizations": {"guesthouse": {"image": "debian-12"}}}',
    usual: "{}",
    vm: '{"image": "debian-12"}',
  }))
    await put(`.devcontainer/${name}/devcontainer.json`, text);
  const configs = await configsIn(
    { folder },
    { scratch: folder, known: ["debian-12"] },
  );
  expect(
    configs.map(({ path, name, kind, of }) =>
      [path.split("/").at(-2), name, kind, of].filter(Boolean).join(" "),
    ),
  ).toEqual([
    ".devcontainer Shop compose",
    "broken",
    "docker dockerfile ../Dockerfile",
    "image image acme/base:1",
    "own machine debian-12",
    "usual machine",
    "vm machine debian-12",
  ]);
});

describe("reading the file", () => {
  test("settings and extensions of older files are those of customizations.vscode", async () => {
    const vscode = { settings: { a: 1 }, extensions: ["x.b"] };
    await put(
      usual,
      JSON.stringify({
        settings: { a: 2, b: 2 },
        extensions: ["x.a"],
        customizations: { vscode, guesthouse: { cpus: 1 } },
      }),
    );
    const { file, warnings } = await readConfiguration(folder);
    expect(file).toEqual({
      customizations: {
        guesthouse: { cpus: 1 },
        vscode: { settings: { a: 1, b: 2 }, extensions: ["x.a", "x.b"] },
      },
    });
    expect(warnings).toEqual([]);
  });

  test("comments, trailing commas and a byte order mark are taken", async () => {
    await put(
      usual,
      '\ufeff{\n// why\n"name": "x", /* y */ "image": "debian-12",\n}',
    );
    const { file, warnings, path } = await readConfiguration(folder);
    expect(file).toEqual({ name: "x", image: "debian-12" });
    expect(warnings).toEqual([]);
    expect(path).toBe(usual);
  });

  test("sizes are taken as on the command line, too", async () => {
    await put(
      usual,
      '{ "customizations": { "guesthouse": { "memory": "2G" } } }',
    );
    const { file } = await readConfiguration(folder);
    expect(file.customizations?.guesthouse?.memory).toBe("2G");
  });

  test("no file is an empty configuration", async () => {
    const { file, path } = await readConfiguration(folder);
    expect(file).toEqual({});
    expect(path).toBeUndefined();
  });

  test("what is wrong is told with its line and property", async () => {
    await put(usual, '{\n  "image": "a"\n  "name": "b"\n}');
    await expect(readConfiguration(folder)).rejects.toThrow(
      /line 3: comma expected/,
    );
    await put(
      usual,
      '{\n  "hostRequirements": {\n    "memory": "much"\n  }\n}',
    );
    await expect(readConfiguration(folder)).rejects.toThrow(
      /line 3: hostRequirements\.memory: .*a size such as 4gb/,
    );
    await put(usual, "[]");
    await expect(readConfiguration(folder)).rejects.toThrow(/line 1: the file/);
  });

  test("what is unknown or not done yet is a warning with its path", async () => {
    await put(
      usual,
      JSON.stringify({
        appPort: 3000,
        build: { dockerfile: "Dockerfile", args: { a: "b" } },
        hostRequirements: { cpus: 2, gpu: true, tpu: 1 },
        privileged: true,
        runArgs: ["--rm"],
        customizations: {
          vscode: { extensions: [] },
          jetbrains: { anything: 1 },
          guesthouse: { image: "debian-12" },
        },
        postCreateComand: "typo",
        constructor: 1,
        "\u001b[2K": 1,
      }),
    );
    const { warnings } = await readConfiguration(folder);
    expect(warnings.map(({ property }) => property)).toEqual([
      "appPort",
      "hostRequirements.gpu",
      "hostRequirements.tpu",
      "runArgs",
      "postCreateComand",
      "constructor",
      "\\u001b[2K",
    ]);
    expect(warnings[0]?.message).toMatch(
      /^appPort is not done yet: use forwardPorts/,
    );
  });

  test("a mistake in customizations.guesthouse is refused, not ignored", async () => {
    await put(usual, '{"customizations":{"guesthouse":{"cpu":2}}}');
    await expect(readConfiguration(folder)).rejects.toThrow(
      /customizations\.guesthouse: Unrecognized key: "cpu"/,
    );
  });

  test("the digest follows the file's bytes", async () => {
    await put(usual, "{}");
    const before = await readConfiguration(folder);
    await put(usual, "{ }");
    const after = await readConfiguration(folder);
    expect(after.digest).not.toBe(before.digest);
  });
});

describe("a folder that nobody trusts", () => {
  test("a configuration that is a link out of the folder is not read", async () => {
    const outside = await mkdtemp(join(tmpdir(), "outside-"));
    try {
      await writeFile(join(outside, "devcontainer.json"), '{"name":"secret"}');
      await symlink(outside, join(folder, ".devcontainer"));
      await expect(readConfiguration(folder)).rejects.toMatchObject({
        failure: { kind: "refused", code: "workspaces.outsideFolder" },
      });
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  test("a link inside the folder is fine", async () => {
    await put("shared/devcontainer.json", '{"name":"shared"}');
    await symlink(join(folder, "shared"), join(folder, ".devcontainer"));
    expect((await readConfiguration(folder)).file.name).toBe("shared");
  });

  test("a huge file is refused", async () => {
    await put(usual, `"${"x".repeat(1024 * 1024)}"`);
    await expect(readConfiguration(folder)).rejects.toThrow(/larger than/);
  });
});
