import { powerShellLiteral } from "../programs/powershell.ts";
import { yaml } from "./seed.ts";
import { authorizeKeysScript } from "../programs/windows.ts";

/** What makes one machine of a generalized Windows itself at its first start. */
export interface WindowsSeedSpec {
  readonly instanceId: string;
  /** Of the machine. */
  readonly name: string;
  /** An administrator's account that is in the image. */
  readonly user: string;
  /** Public key lines. */
  readonly authorizedKeys: readonly string[];
}

/**
 * The files of a NoCloud volume as cloudbase-init reads it. Pure. Its keys come from the meta-data, as a map, which its older
 * releases ask for; it writes them to the user's own file, which sshd doesn't read for administrators. So the script
 * writes them where it does, and lets sshd read both. No secret is in it: the agent brings the host key.
 * Unverified on Windows.
 * Source: cloudbase-init, nocloudservice.py and userdatautils.py.
 */
export const windowsSeedFiles = ({
  instanceId,
  name,
  user,
  authorizedKeys,
}: WindowsSeedSpec): Record<"meta-data" | "user-data", string> => ({
  "meta-data": yaml({
    "instance-id": instanceId,
    "local-hostname": computerName(name),
    "public-keys": Object.fromEntries(
      authorizedKeys.map((key, at) => [
        `guesthouse-${String(at)}`,
        { "openssh-key": key },
      ]),
    ),
  }),
  "user-data": crlf(
    [
      // Its first line says what runs it: PowerShell of the system's own width.
      "#ps1_sysnative",
      "$ErrorActionPreference = 'Stop'",
      `$Values = ${powerShellLiteral({
        user,
        text: authorizedKeys.map((key) => `${key}\n`).join(""),
      })}`,
      authorizeKeysScript,
      bothFiles,
    ].join("\n"),
  ),
});

/** sshd takes the first value that it meets in a block; the block for administrators stands at the end of the default file. */
export const bothFiles = String.raw`$config = Join-Path $env:ProgramData 'ssh\sshd_config'
if (Test-Path -LiteralPath $config) {
  $wanted = '       AuthorizedKeysFile __PROGRAMDATA__/ssh/administrators_authorized_keys .ssh/authorized_keys'
  $lines = @(Get-Content -LiteralPath $config | ForEach-Object {
    if ($_ -match '^\s*AuthorizedKeysFile\s+__PROGRAMDATA__/ssh/administrators_authorized_keys\s*$') { $wanted } else { $_ }
  })
  [IO.File]::WriteAllLines($config, [string[]]$lines, (New-Object Text.UTF8Encoding($false)))
  Restart-Service -Name sshd -Force
}`;

/** What NetBIOS takes; never digits alone. */
export function computerName(name: string): string {
  const short = name.slice(0, 15).replace(/-+$/, "");
  return /^\d+$/.test(short) ? `vm-${short.slice(0, 12)}` : short;
}

const crlf = (text: string): string =>
  `${text.replaceAll(/\r?\n/g, "\r\n")}\r\n`;
