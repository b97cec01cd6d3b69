import { textOf } from "./citations.ts";
import { code, table, written } from "./markdown.ts";

interface Setting {
  readonly type: string;
  readonly default: unknown;
  readonly scope: string;
  readonly enum?: readonly string[];
  readonly enumDescriptions?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly description?: string;
  readonly markdownDescription?: string;
}

interface MenuItem {
  readonly command?: string;
  readonly when?: string;
}

interface Manifest {
  readonly contributes: {
    readonly commands: readonly {
      readonly command: string;
      readonly title: string;
    }[];
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly configuration: {
      readonly properties: Readonly<Record<string, Setting>>;
    };
  };
}

const readManifest = (): Manifest =>
  JSON.parse(textOf("package.json")) as Manifest;

/** `%setting.cpus%` → what the person reads. */
function readWords(): (text: string) => string {
  const words = JSON.parse(textOf("package.nls.json")) as Record<
    string,
    string
  >;
  return (text) =>
    text.replaceAll(/%([\w.]+)%/g, (whole, key: string) => words[key] ?? whole);
}

const scopes: Readonly<Record<string, string>> = {
  application: "yours, for all windows; a repository can't set it",
  window: "yours or a workspace's",
};

/** docs/reference/settings.md, from package.json and package.nls.json. */
export function settingsPage(): string {
  const said = readWords();
  const settings = Object.entries(
    readManifest().contributes.configuration.properties,
  );
  return [
    written("Settings", "The settings of the extension in VS Code."),
    ...settings.flatMap(([name, setting]) => [
      `## ${name}`,
      said(setting.markdownDescription ?? setting.description ?? ""),
      ...(setting.enum === undefined
        ? []
        : [
            table(
              ["Value", ""],
              setting.enum.map((value, index) => [
                code(value),
                said(setting.enumDescriptions?.[index] ?? ""),
              ]),
            ),
          ]),
      factsOf(setting),
    ]),
  ].join("\n\n");
}

function factsOf(setting: Setting): string {
  const { type, minimum, maximum, scope } = setting;
  const range = [
    minimum === undefined ? "" : `from ${String(minimum)}`,
    maximum === undefined ? "" : `to ${String(maximum)}`,
  ].filter((text) => text !== "");
  return [
    `Default: ${setting.default === "" ? "empty" : code(String(setting.default))}`,
    `type: ${[setting.enum === undefined ? type : "one of the values above", ...range].join(" ")}`,
    `scope: ${scopes[scope] ?? scope}`,
  ].join(" · ");
}

const menuNames: Readonly<Record<string, string>> = {
  "view/title": "head of a view",
  "view/item/context": "row of a view",
  "explorer/context": "Explorer",
  "scm/title": "Source Control",
  "statusBar/remoteIndicator": "remote indicator",
};

/** docs/reference/commands.md, from package.json and package.nls.json. */
export function commandsPage(): string {
  const said = readWords();
  const { commands, menus } = readManifest().contributes;
  const palette = menus["commandPalette"] ?? [];
  const rows = commands
    .map(({ command, title }) => ({ command, title: said(title) }))
    .sort((a, b) => a.title.localeCompare(b.title, "en"))
    .map(({ command, title }) => {
      const when = palette.find((item) => item.command === command)?.when;
      const places = Object.entries(menus).filter(
        ([menu, items]) =>
          menu !== "commandPalette" &&
          items.some((item) => item.command === command),
      );
      return [
        `_${title}_`,
        code(command),
        when === undefined ? "always" : when === "false" ? "no" : code(when),
        places.map(([menu]) => menuNames[menu] ?? code(menu)).join(", "),
      ];
    });
  return [
    written(
      "Commands",
      "The commands of the extension in VS Code, in the category _Guesthouse_.",
    ),
    table(["Command", "Id", "In the palette", "Also in"], rows),
  ].join("\n\n");
}
