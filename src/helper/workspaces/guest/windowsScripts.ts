/**
 * What a guest with Windows does for a workspace, as PowerShell for `guests/programs/windowsScript.ts`. Its counterparts for POSIX
 * shells are in `guestScripts.ts`. Unverified on Windows.
 */

/** Where it keeps what was done in it, so that a copy of the guest knows it too. */
const state = `$state = Join-Path $env:ProgramData 'Guesthouse\\workspace'
New-Item -ItemType Directory -Force -Path $state | Out-Null`;

/** Makes the folder; prints what this boot is known by, which its clock doesn't change, and what was done before. */
const prepare = `${state}
New-Item -ItemType Directory -Force -Path $Values.target | Out-Null
$key = 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\\PrefetchParameters'
$counted = (Get-ItemProperty -LiteralPath $key -ErrorAction SilentlyContinue).BootId
$boot = if ($null -ne $counted) { "boot-$counted" } else { (Get-CimInstance -ClassName Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('yyyyMMddHHmm') }
$marks = @{}
Get-ChildItem -LiteralPath $state -Filter 'done-*' | ForEach-Object { $marks[$_.Name.Substring(5)] = [IO.File]::ReadAllText($_.FullName) }
ConvertTo-Json -InputObject @{ bootId = $boot; marks = $marks } -Compress`;

const remember = `${state}
[IO.File]::WriteAllText((Join-Path $state "done-$($Values.name)"), $Values.value)`;

/** Variables of every login, in place of those of an earlier time; prints the environment with them. */
const logins = `${state}
$file = Join-Path $state 'logins.json'
$wanted = @($Values.variables | ForEach-Object { $_.name })
$before = if (Test-Path -LiteralPath $file) { @([IO.File]::ReadAllText($file) | ConvertFrom-Json | ForEach-Object { $_ }) } else { @() }
foreach ($name in $before) {
  if ($wanted -notcontains $name) { [Environment]::SetEnvironmentVariable($name, $null, 'User') }
}
foreach ($one in @($Values.variables)) {
  [Environment]::SetEnvironmentVariable($one.name, $one.value, 'User')
  [Environment]::SetEnvironmentVariable($one.name, $one.value, 'Process')
}
[IO.File]::WriteAllText($file, (ConvertTo-Json -InputObject $wanted -Compress))
$all = @{}
Get-ChildItem -Path 'Env:' | ForEach-Object { $all[$_.Name] = $_.Value }
ConvertTo-Json -InputObject $all -Compress`;

/** Variables of commands: the user's, the file's, and those that the file takes away. */
const environment = `${state}
[IO.File]::WriteAllText((Join-Path $state 'environment.json'), $Values.text)`;

/**
 * Runs a command in a folder, in the workspace's environment with its secrets, and ends with its code. A string is
 * PowerShell of this very process, where whatever it says comes as text; a program is started without any shell in between.
 */
const step = `$ErrorActionPreference = 'Continue'
${state}
$file = Join-Path $state 'environment.json'
$variables = @(if (Test-Path -LiteralPath $file) { [IO.File]::ReadAllText($file) | ConvertFrom-Json | ForEach-Object { $_ } })
foreach ($one in $variables + @($Values.secrets)) {
  if ($null -ne $one) { [Environment]::SetEnvironmentVariable($one.name, $one.value, 'Process') }
}
try {
  Set-Location -LiteralPath $Values.folder -ErrorAction Stop
  [Environment]::CurrentDirectory = $Values.folder
  if ($null -ne $Values.command) {
    $global:LASTEXITCODE = 0
    & ([ScriptBlock]::Create($Values.command)) 2>&1 | ForEach-Object { "$_" }
    exit $LASTEXITCODE
  }
  $program = (Get-Command -Name $Values.program -CommandType Application -ErrorAction Stop | Select-Object -First 1).Source
  $start = New-Object Diagnostics.ProcessStartInfo($program, $Values.arguments)
  $start.UseShellExecute = $false
  $start.WorkingDirectory = $Values.folder
  $process = [Diagnostics.Process]::Start($start)
  $process.WaitForExit()
  exit $process.ExitCode
} catch {
  "$($_.Exception.Message)"
  exit 127
}`;

export const windowsScripts = { prepare, remember, logins, environment, step };

/**
 * Arguments as one line, as Windows' programs take it apart again (Microsoft, "Parsing C command-line arguments"):
 * backslashes count double before a quote, and only there. Pure.
 */
export const windowsArguments = (args: readonly string[]): string =>
  args
    .map((arg) =>
      /^[^\s"]+$/.test(arg)
        ? arg
        : `"${arg.replace(/(\\*)"/g, String.raw`$1$1\"`).replace(/(\\+)$/, "$1$1")}"`,
    )
    .join(" ");
