import type { EventEmitter } from "node:events";
import type { Argument, Command, Option } from "commander";
import { createProgram } from "../../src/helper/cli/program.ts";
import { code, plain, table, written } from "./markdown.ts";

/** docs/reference/command-line.md: every command with its arguments and options, as commander knows them. */
export function commandLinePage(): string {
  const program = createProgram();
  const commands = program.commands.filter(isShown(program));
  return [
    written(
      "Command line",
      `${sentence(program.description())} \`guesthouse help <command>\` says the same in a terminal.`,
    ),
    table(
      ["Command", ""],
      commands.map((command) => [
        `[${code(nameOf(command))}](#${nameOf(command).replaceAll(" ", "-")})`,
        plain(command.description()),
      ]),
    ),
    afterHelp(program),
    ...commands.flatMap((command) => sectionsOf(command)),
  ].join("\n\n");
}

function sectionsOf(command: Command): string[] {
  const help = command.createHelp();
  const name = nameOf(command);
  const depth = "#".repeat(name.split(" ").length + 1);
  const commands = command.commands.filter(isShown(command));
  const options = help
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help");
  const aliases = command.aliases();
  return [
    `${depth} ${name}`,
    sentence(plain(command.description())),
    `\`\`\`\n${help.commandUsage(command)}\n\`\`\``,
    ...(aliases.length === 0
      ? []
      : [`Also as ${aliases.map(code).join(", ")}.`]),
    ...argumentTable(help.visibleArguments(command)),
    ...optionTable(options),
    afterHelp(command),
    ...commands.flatMap((child) => sectionsOf(child)),
  ].filter((text) => text !== "");
}

const argumentTable = (all: readonly Argument[]): string[] =>
  all.length === 0
    ? []
    : [
        table(
          ["Argument", "Meaning", "Default"],
          all.map((argument) => [
            code(argument.name()),
            plain(argument.description) + choices(argument.argChoices),
            defaultOf(argument),
          ]),
        ),
      ];

const optionTable = (all: readonly Option[]): string[] =>
  all.length === 0
    ? []
    : [
        table(
          ["Option", "Meaning", "Default"],
          all.map((option) => [
            code(option.flags),
            plain(option.description) + choices(option.argChoices),
            option.negate ? "" : defaultOf(option),
          ]),
        ),
      ];

const choices = (all: readonly string[] | undefined): string =>
  all === undefined ? "" : ` (${all.map(code).join(", ")})`;

function defaultOf({
  defaultValue,
  defaultValueDescription,
}: {
  readonly defaultValue?: unknown;
  readonly defaultValueDescription?: string | undefined;
}): string {
  if (defaultValueDescription !== undefined) return defaultValueDescription;
  return typeof defaultValue === "string" || typeof defaultValue === "number"
    ? code(String(defaultValue))
    : "";
}

/** What `addHelpText` put below the help, as a block of its own. */
function afterHelp(command: Command): string {
  let text = "";
  // commander is an EventEmitter; its types leave that out.
  (command as unknown as EventEmitter).emit("afterHelp", {
    error: false,
    command,
    write: (part: string) => {
      text += part;
    },
  });
  return text.trim() === "" ? "" : `\`\`\`\n${text.trim()}\n\`\`\``;
}

/** Hidden commands and commander's own `help` are left out. */
const isShown = (parent: Command): ((command: Command) => boolean) => {
  const visible = new Set(parent.createHelp().visibleCommands(parent));
  return (command) => visible.has(command) && command.name() !== "help";
};

/** `image import`, without the program's name. */
function nameOf(command: Command): string {
  const parent = command.parent;
  return parent?.parent == null
    ? command.name()
    : `${nameOf(parent)} ${command.name()}`;
}

const sentence = (text: string): string => {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return text === "" || /[.!?]$/.test(text) ? begun : `${begun}.`;
};
