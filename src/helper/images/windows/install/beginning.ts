import type { ScriptValues } from "../../../guests/programs/powershellProgram.ts";
import { markerFile } from "../steps/scripts.ts";

/** Finds the medium by its marker, whatever letter it got, and lets its `begin.ps1` do the rest. */
export const beginScript = `$mark = Join-Path $env:ProgramData 'Guesthouse\\begun'
if ((Test-Path -LiteralPath $mark) -and (Get-Content -LiteralPath $mark -Raw) -eq $Values.preparation) { return }
# What a program writes as an error would end this script before its code is known.
$ErrorActionPreference = 'Continue'
$medium = @('D', 'E', 'F', 'G', 'H', 'I') | ForEach-Object { "\${_}:\\" } |
  Where-Object { Test-Path -LiteralPath (Join-Path $_ $Values.marker) } | Select-Object -First 1
if ($null -eq $medium) { throw 'No drive from D: to I: is the medium with the steps.' }
$said = powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File (Join-Path $medium 'begin.ps1') 2>&1 | Out-String
if ($LASTEXITCODE -ne 0) { throw "begin.ps1: $said" }`;

/** The script and what it is given. */
export const beginning = (
  preparation: string,
): [script: string, values: ScriptValues] => [
  beginScript,
  { preparation, marker: markerFile },
];

/** PowerShell's first start on hardware that Windows sees for the first time takes its time. */
export const beginMs = 180_000;
