import { bug } from "../../../protocol/failure.ts";

export type PowerShellValue =
  | string
  | boolean
  | readonly string[]
  | { readonly [name: string]: PowerShellValue };

/**
 * A value as PowerShell's literal. Pure. PowerShell takes typographic quotes for the straight one, so all of them are
 * doubled (about_Quoting_Rules); in single quotes nothing else means anything, line ends included.
 */
export function powerShellLiteral(value: PowerShellValue): string {
  if (typeof value === "string")
    return `'${value.replaceAll(/['\u2018-\u201b]/g, "$&$&")}'`;
  if (typeof value === "boolean") return value ? "$true" : "$false";
  if (isList(value)) return `@(${value.map(powerShellLiteral).join(", ")})`;
  const entries = Object.entries(value).map(
    ([name, inner]) =>
      `${powerShellLiteral(name)} = ${powerShellLiteral(inner)}`,
  );
  return `@{ ${entries.join("; ")} }`;
}

const isList = (value: PowerShellValue): value is readonly string[] =>
  Array.isArray(value);

/** What cmd.exe takes as one line, its end included (Microsoft, "Command prompt line string limitation"). */
export const cmdLineLimit = 8191;

/** The argument of `-EncodedCommand`: base64 of UTF-16LE. */
export const encodedScript = (script: string): string =>
  Buffer.from(script, "utf16le").toString("base64");

export const decodedScript = (encoded: string): string =>
  Buffer.from(encoded, "base64").toString("utf16le");

/** A program's arguments that run a script as it is. Windows itself takes 32,767 characters of them, cmd.exe fewer. */
export const powerShellArguments = (script: string): string[] => [
  ...["powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand"],
  encodedScript(script),
];

/**
 * A command that passes through cmd.exe, the default shell of Windows' sshd, as it is: nothing in it means anything
 * there. Throws `bug` when cmd would cut it off; such a script is for a file.
 */
export function encodedCommand(script: string): string {
  const command = powerShellArguments(script).join(" ");
  if (command.length >= cmdLineLimit)
    throw bug(
      `A script of ${String(script.length)} characters makes a command of ${String(command.length)}; cmd.exe takes ${String(cmdLineLimit)}.`,
    );
  return command;
}

/** A script as a file: Windows PowerShell 5 takes one without a byte order mark for the system's code page. */
export const scriptFile = (script: string): Buffer =>
  Buffer.from(`\ufeff${script.replaceAll(/\r?\n/g, "\r\n")}`, "utf8");
