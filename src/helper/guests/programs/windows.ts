import { guestJson } from "../agent/guestAnswer.ts";
import * as shape from "../agent/shapes.ts";
import type { GuestPrograms } from "./program.ts";
import { windowsProgram } from "./powershellProgram.ts";

/**
 * `Protect-Path`, for scripts: SYSTEM and Administrators own and use a file, nobody else. By identifiers, as names are
 * translated; sshd leaves a file of keys aside that anybody else may write to.
 */
export const protectPath = `function Protect-Path([string]$Path) {
  $acl = New-Object Security.AccessControl.FileSecurity
  $acl.SetAccessRuleProtection($true, $false)
  $acl.SetOwner([Security.Principal.SecurityIdentifier]'S-1-5-32-544')
  foreach ($sid in @('S-1-5-18', 'S-1-5-32-544')) {
    $who = [Security.Principal.SecurityIdentifier]$sid
    $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($who, 'FullControl', 'Allow')))
  }
  Set-Acl -LiteralPath $Path -AclObject $acl
}
# Protected before anything is in it, and whole before anybody finds it under its name.
function Write-Protected([string]$Path, [string]$Text) {
  New-Item -ItemType File -Path "$Path.new" -Force | Out-Null
  Protect-Path "$Path.new"
  [IO.File]::WriteAllText("$Path.new", $Text, (New-Object Text.UTF8Encoding($false)))
  Move-Item -LiteralPath "$Path.new" -Destination $Path -Force
}`;

/** sshd reads an administrator's keys in another place than everybody else's (its default configuration). */
export const authorizeKeysScript = String.raw`${protectPath}
$user = Get-LocalUser -Name $Values.user
# The list can't be read where an account that was deleted is still on it.
$isAdministrator = $true
try {
  $isAdministrator = @(Get-LocalGroupMember -SID 'S-1-5-32-544' | ForEach-Object { $_.SID.Value }) -contains $user.SID.Value
} catch {
  $isAdministrator = $true
}
if ($isAdministrator) {
  Write-Protected (Join-Path $env:ProgramData 'ssh\administrators_authorized_keys') $Values.text
} else {
  $profiles = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList'
  $place = (Get-ItemProperty "$profiles\$($user.SID.Value)").ProfileImagePath
  $folder = Join-Path $place '.ssh'
  New-Item -ItemType Directory -Path $folder -Force | Out-Null
  $file = Join-Path $folder 'authorized_keys'
  Write-Protected $file $Values.text
  $acl = Get-Acl -LiteralPath $file
  $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($user.SID, 'FullControl', 'Allow')))
  $acl.SetOwner($user.SID)
  Set-Acl -LiteralPath $file -AclObject $acl
}`;

const readFile =
  "[Convert]::ToBase64String([IO.File]::ReadAllBytes($Values.path))";

const writeFile =
  "[IO.File]::WriteAllBytes($Values.path, [Convert]::FromBase64String($Values.content))";

/** By a number: a date as text would be read in the guest's own spelling. */
const setTime =
  "Set-Date -Date ([DateTimeOffset]::FromUnixTimeMilliseconds($Values.ms).LocalDateTime) | Out-Null";

/** In the shape of the agent's own answers. */
const interfaces = `$cards = @(Get-NetAdapter | ForEach-Object {
  $card = $_
  $counts = Get-NetAdapterStatistics -Name $card.Name -ErrorAction SilentlyContinue
  $one = @{
    'name' = $card.Name
    'hardware-address' = "$($card.MacAddress)".Replace('-', ':').ToLowerInvariant()
    'ip-addresses' = @(Get-NetIPAddress -InterfaceIndex $card.ifIndex -ErrorAction SilentlyContinue | ForEach-Object {
      @{ 'ip-address' = $_.IPAddress; 'prefix' = [int]$_.PrefixLength }
    })
  }
  if ($null -ne $counts) {
    $one['statistics'] = @{ 'rx-bytes' = $counts.ReceivedBytes; 'tx-bytes' = $counts.SentBytes }
  }
  $one
})
ConvertTo-Json -InputObject $cards -Depth 4 -Compress`;

/** Whoever has a desktop: its shell runs as them. */
const users = `$names = @(Get-CimInstance -ClassName Win32_Process -Filter "Name='explorer.exe'" | ForEach-Object {
  $owner = Invoke-CimMethod -InputObject $_ -MethodName GetOwner
  @{ 'user' = $owner.User; 'domain' = $owner.Domain }
})
ConvertTo-Json -InputObject $names -Compress`;

/** What a Windows guest does where its agent may not, as SYSTEM. Unverified on Windows. */
export const windowsPrograms: GuestPrograms = {
  readFile: (path) => windowsProgram(readFile, { path }),
  writeFile: (path, content) =>
    windowsProgram(writeFile, { path, content: content.toString("base64") }),
  setTime: (at) => windowsProgram(setTime, { ms: at.getTime() }),
  interfaces: {
    program: windowsProgram(interfaces),
    read: (stdout) =>
      guestJson("the list of its cards", shape.interfaces, stdout),
  },
  users: {
    program: windowsProgram(users),
    read: (stdout) => guestJson("the list of its users", shape.users, stdout),
  },
  authorizeKeys: (user, keys) =>
    windowsProgram(authorizeKeysScript, {
      user,
      text: keys.map((key) => `${key}\n`).join(""),
    }),
};

/** All of the scripts, for whoever checks them. */
export const windowsProgramScripts = {
  readFile,
  writeFile,
  setTime,
  authorizeKeys: authorizeKeysScript,
  interfaces,
  users,
};
