import { readFile, stat } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { getL10nJson } from "@vscode/l10n-dev";
import { expect, test } from "vitest";
import { commandIds } from "../../../src/extension/window/commandIds.ts";
import { machineStateSchema } from "../../../src/protocol/machines.ts";
import { imageStateSchema } from "../../../src/protocol/images.ts";
import { templateSchema } from "../../../src/protocol/templates.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface MenuItem {
  readonly command: string;
  readonly when?: string;
  readonly group?: string;
}
interface Manifest {
  readonly activationEvents: readonly string[];
  readonly icon: string;
  readonly capabilities: {
    readonly untrustedWorkspaces: {
      readonly restrictedConfigurations: readonly string[];
    };
  };
  readonly contributes: {
    readonly commands: readonly {
      readonly command: string;
      readonly category: string;
    }[];
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly views: { readonly guesthouse: readonly { readonly id: string }[] };
    readonly viewsWelcome: readonly { readonly contents: string }[];
    readonly viewsContainers: {
      readonly activitybar: readonly { readonly icon: string }[];
    };
    readonly configuration: {
      readonly properties: Readonly<
        Record<string, { readonly scope: string; readonly default: unknown }>
      >;
    };
    readonly walkthroughs: readonly {
      readonly icon: string;
      readonly steps: readonly {
        readonly media: { readonly svg: string };
        readonly completionEvents: readonly string[];
      }[];
    }[];
  };
}

const text = read("package.json");
const manifest = JSON.parse(text) as Manifest;
const { contributes } = manifest;
const words = JSON.parse(read("package.nls.json")) as Record<string, string>;
const sources = readdirSync(join(root, "src/extension"), {
  recursive: true,
  encoding: "utf8",
})
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({
    extension: ".ts" as const,
    contents: read(join("src/extension", path)),
  }));

const commandsIn = (markdown: string): string[] =>
  [...markdown.matchAll(/\(command:([\w.]+)\)/g)].flatMap(([, id]) => id ?? []);

test("every contributed command has a handler and every handler is contributed", () => {
  const contributed = contributes.commands.map(({ command }) => command);
  expect(contributed.toSorted()).toEqual([...commandIds].toSorted());
});

test("each command is in the file that the table names", () => {
  const extension = "src/extension";
  const table = read(`${extension}/window/commandIds.ts`);
  let file = "";
  const misplaced: string[] = [];
  for (const line of table.slice(0, table.indexOf("] as const")).split("\n")) {
    file = /^ {2}\/\/ (\S+\.ts)$/.exec(line)?.[1] ?? file;
    const id = /^ {2}("guesthouse\.\w+"),$/.exec(line)?.[1];
    if (id === undefined) continue;
    const code = read(`${extension}/${file}`);
    if (!code.includes(`${id}:`) && !code.includes(`${id}(`))
      misplaced.push(`${id} is not in ${file}`);
  }
  expect(misplaced).toEqual([]);
});

test("all commands share one category", () => {
  expect(new Set(contributes.commands.map(({ category }) => category))).toEqual(
    new Set(["Guesthouse"]),
  );
});

test("menus, welcome texts and walkthrough name commands that exist", () => {
  const inMenus = Object.values(contributes.menus)
    .flat()
    .map(({ command }) => command);
  const inWords = Object.values(words).flatMap(commandsIn);
  const inEvents = contributes.walkthroughs
    .flatMap(({ steps }) => steps)
    .flatMap(({ completionEvents }) => completionEvents)
    .map((event) => event.replace("onCommand:", ""));
  const named = new Set([...inMenus, ...inWords, ...inEvents]);
  expect([...named].filter((id) => !commandIds.includes(id as never))).toEqual(
    [],
  );
});

test("menus are gated by states that exist", () => {
  const kinds = (schema: {
    options: readonly { shape: { kind: { value: string } } }[];
  }): string[] => schema.options.map(({ shape }) => shape.kind.value);
  const states = {
    machine: [...kinds(machineStateSchema), "suspended"],
    image: kinds(imageStateSchema),
    template: kinds(templateSchema.shape.state),
    checkpoint: ["memory", "disk"],
  };
  const gates = Object.values(contributes.menus)
    .flat()
    .flatMap(({ when = "" }) => [
      ...when.matchAll(/(machine|image|template|checkpoint)\\?\.\(?([a-z|]*)/g),
    ]);
  expect(gates.length).toBeGreaterThan(20);
  for (const [, kind, names = ""] of gates)
    // `/^machine\\./` without names means all of them.
    for (const name of names.split("|").filter((each) => each !== ""))
      expect(states[kind as keyof typeof states]).toContain(name);
});

test("every word of the manifest is translatable, and none is left over", () => {
  const used = [...text.matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key);
  expect([...new Set(used)].toSorted()).toEqual(Object.keys(words).toSorted());
  expect(Object.values(words).filter((word) => word.trim() === "")).toEqual([]);
});

test("the bundle of translatable strings is that of the sources", async () => {
  const present = JSON.parse(read("l10n/bundle.l10n.json")) as unknown;
  expect(present).toEqual(await getL10nJson(sources));
  // Its parser is WebAssembly and takes seconds on a busy machine.
}, 60_000);

test("settings are read under names that exist, with the manifest's defaults", () => {
  const settings = read("src/extension/window/settings.ts");
  const calls = [
    ...settings.matchAll(
      /(?:ours\.get(?:<\w+>)?|size)\("([\w.]+)"(?:, ([^)]+))?\)/g,
    ),
  ];
  const readNames = calls.map(([, name]) => `guesthouse.${String(name)}`);
  const { properties } = contributes.configuration;
  expect(readNames.toSorted()).toEqual(Object.keys(properties).toSorted());
  for (const [, name, value] of calls)
    if (value !== undefined)
      expect(properties[`guesthouse.${String(name)}`]?.default).toEqual(
        JSON.parse(value),
      );
});

test("neither a workspace nor a guest can set programs, folders or SSH access", () => {
  const { restrictedConfigurations } =
    manifest.capabilities.untrustedWorkspaces;
  const { properties } = contributes.configuration;
  const named = (scope: string): string[] =>
    Object.keys(properties).filter((name) => properties[name]?.scope === scope);
  // In a window on a guest the editor takes settings of this scope from the guest, and from nowhere else.
  expect(named("machine")).toEqual([]);
  expect([...restrictedConfigurations].toSorted()).toEqual(
    named("application").toSorted(),
  );
  expect(named("application")).toEqual(
    expect.arrayContaining([
      "guesthouse.home",
      "guesthouse.qemuPath",
      "guesthouse.dotfiles.repository",
    ]),
  );
});

test("views of the manifest are the ones that are filled", () => {
  const ids = contributes.views.guesthouse.map(({ id }) => id);
  const filled = sources.flatMap(({ contents }) =>
    [...contents.matchAll(/ViewId = "([\w.]+)"/g)].flatMap(
      ([, id]) => id ?? [],
    ),
  );
  expect(filled.toSorted()).toEqual(ids.toSorted());
});

test("the extension is loaded when it is asked for, not with the editor", () => {
  expect(manifest.activationEvents).toEqual([
    "onResolveRemoteAuthority:ssh-remote",
    // A folder that can be reopened in a VM.
    "workspaceContains:.devcontainer.json",
    "workspaceContains:.devcontainer/devcontainer.json",
    "workspaceContains:.devcontainer/*/devcontainer.json",
    // A panel of a window that is shown again.
    "onWebviewPanel:guesthouse.screen",
  ]);
});

test("all pictures are there, and the icon is a PNG of 256 pixels", async () => {
  const pictures = [
    ...contributes.viewsContainers.activitybar.map(({ icon }) => icon),
    ...contributes.walkthroughs.flatMap(({ icon, steps }) => [
      icon,
      ...steps.map(({ media }) => media.svg),
    ]),
  ];
  for (const path of pictures)
    expect((await stat(join(root, path))).size).toBeGreaterThan(100);
  const icon = await readFile(join(root, manifest.icon));
  // Width and height follow the signature and the head of the first chunk (PNG, 11.2.1).
  expect([
    icon.toString("latin1", 1, 4),
    icon.readUInt32BE(16),
    icon.readUInt32BE(20),
  ]).toEqual(["PNG", 256, 256]);
});
