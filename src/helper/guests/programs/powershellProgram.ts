import { encodedCommand, powerShellArguments } from "./powershell.ts";
import type { Program } from "./program.ts";

/** What a script is given, as `$Values`. */
export type ScriptValues = Readonly<Record<string, unknown>>;

/**
 * Takes the script and its values from its input, so that neither cmd's limit of 8,191 characters counts for them nor a
 * secret stands in a command line. What it writes out goes on at once; what fails is told as bytes in UTF-8: an error of PowerShell's own would be written in
 * the console's code page, as XML (Windows PowerShell 5.1 with `-EncodedCommand` and a redirected output).
 */
export const bootstrap = String.raw`$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
function Write-Text([IO.Stream]$Stream, [string]$Text) {
  $bytes = [Text.Encoding]::UTF8.GetBytes($Text)
  $Stream.Write($bytes, 0, $bytes.Length)
  $Stream.Flush()
}
try {
  $given = (@($input) -join '') | ConvertFrom-Json
  $Values = $given.values
  $out = [Console]::OpenStandardOutput()
  & ([ScriptBlock]::Create($given.script)) | ForEach-Object { Write-Text $out "$_$([char]10)" }
} catch {
  Write-Text ([Console]::OpenStandardError()) "$($_.Exception.Message) (line $($_.InvocationInfo.ScriptLineNumber))"
  exit 1
}
exit 0`;

/** For an agent, which passes arguments on as they are. What the script writes out is the program's output. */
export const windowsProgram = (
  script: string,
  values: ScriptValues = {},
): Program => ({
  argv: powerShellArguments(bootstrap),
  input: scriptInput(script, values),
});

/** The same for sshd, whose shell is cmd.exe: a command line and what is to be its input. */
export const windowsCommand = (
  script: string,
  values: ScriptValues = {},
): { readonly command: string; readonly stdin: string } => ({
  command: encodedCommand(bootstrap),
  stdin: scriptInput(script, values),
});

/** One line of plain ASCII: PowerShell reads its input in the code page of a console that may not be there. */
const scriptInput = (script: string, values: ScriptValues): string =>
  `${JSON.stringify({ script, values }).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )}\n`;
