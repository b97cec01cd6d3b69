# What every generated script begins with, after the values of this image ($Guesthouse).
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$Folder = Join-Path $env:ProgramData 'Guesthouse'
$PowerShell = Join-Path $env:SystemRoot 'System32\WindowsPowerShell\v1.0\powershell.exe'
$AnswerFileCopies = @('Panther\unattend.xml', 'Panther\unattend-original.xml', 'Panther\Unattend\unattend.xml', 'System32\Sysprep\unattend.xml') |
  ForEach-Object { Join-Path $env:SystemRoot $_ }
# The answer medium may have any letter; its marker file tells it.
$Medium = @('D', 'E', 'F', 'G', 'H', 'I') | ForEach-Object { "${_}:\" } |
  Where-Object { Test-Path -LiteralPath (Join-Path $_ $Guesthouse.Marker) } | Select-Object -First 1
# Of a disk that came with Windows nobody outside knows which one it is: the build that each folder of drivers is from tells.
if ($Guesthouse.DriverSystems.Count -eq 0) {
  $kind = if ((Get-CimInstance -ClassName Win32_OperatingSystem).ProductType -eq 1) { 'Client' } else { 'Server' }
  $Guesthouse.DriverSystems = @($Guesthouse.DriverBuilds[$kind] |
    Where-Object { [Environment]::OSVersion.Version.Build -ge [int]$_.Split(' ')[0] } | ForEach-Object { $_.Split(' ')[1] })
}

# A folder below ProgramData takes files from everybody unless it is told otherwise, and what lies here runs as SYSTEM.
function Protect-Folder {
  New-Item -ItemType Directory -Path $Folder -Force | Out-Null
  $acl = New-Object Security.AccessControl.DirectorySecurity
  $acl.SetAccessRuleProtection($true, $false)
  $acl.SetOwner([Security.Principal.SecurityIdentifier]'S-1-5-32-544')
  foreach ($sid in @('S-1-5-18', 'S-1-5-32-544')) {
    $who = [Security.Principal.SecurityIdentifier]$sid
    $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($who, 'FullControl', 'ContainerInherit,ObjectInherit', 'None', 'Allow')))
  }
  Set-Acl -LiteralPath $Folder -AclObject $acl
}

function Write-Log {
  param([string]$Text)
  $line = '{0} {1}' -f (Get-Date).ToUniversalTime().ToString('o'), $Text
  Write-Output $line
  if (Test-Path -LiteralPath $Folder) { Add-Content -LiteralPath (Join-Path $Folder 'setup.log') -Value $line }
}

# Runs one part of a step. Answers with the reason why it failed, or with an empty string.
function Invoke-Part {
  param([hashtable]$Step, [string]$Part)
  try {
    . $Step[$Part] | Out-Null
    return ''
  } catch {
    return [string]$_.Exception.Message
  }
}

# One file a step, so that whoever watches from outside sees how far it is.
function Write-Result {
  param([hashtable]$Step, [string]$Part, [string]$Reason)
  $results = Join-Path $Folder 'steps'
  New-Item -ItemType Directory -Path $results -Force | Out-Null
  $value = @{ id = $Step.Id; part = $Part; ok = ($Reason -eq ''); reason = $Reason } | ConvertTo-Json -Compress
  [IO.File]::WriteAllText((Join-Path $results "$($Step.Id).json"), $value, (New-Object Text.UTF8Encoding($false)))
  if ($Reason -eq '') { Write-Log "$($Step.Id): $Part done" } else { Write-Log "$($Step.Id): $Part failed: $Reason" }
}

# Folders of drivers for this Windows, from whichever drive the driver CD is, in either of its layouts:
# <driver>\<system>\<processor> and <processor>\<system>.
function Get-DriverFolder {
  param([string[]]$Driver)
  foreach ($letter in @('D', 'E', 'F', 'G')) {
    foreach ($system in $Guesthouse.DriverSystems) {
      foreach ($name in $Driver) {
        $standard = "${letter}:\$name\$system\amd64"
        if (Test-Path -LiteralPath $standard) { $standard }
      }
      $flat = "${letter}:\amd64\$system"
      if (Test-Path -LiteralPath $flat) { $flat }
    }
  }
}

function Install-Msi {
  param([string]$Path)
  $running = Start-Process -FilePath 'msiexec.exe' -ArgumentList @('/i', "`"$Path`"", '/qn', '/norestart') -Wait -PassThru
  # 3010: done, and it asks for a restart.
  if ($running.ExitCode -notin @(0, 3010)) { throw "msiexec failed for $Path (code $($running.ExitCode))." }
}

# Secrets of the security authority have no cmdlet.
function Get-Lsa {
  if (-not ('Guesthouse.Lsa' -as [type])) {
    Add-Type -TypeDefinition @'
using System;
using System.Runtime.InteropServices;
namespace Guesthouse {
  public static class Lsa {
    [StructLayout(LayoutKind.Sequential)]
    struct Attributes { public int Length; public IntPtr Root, Name; public int Flags; public IntPtr Security, Quality; }
    [StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
    struct Text { public ushort Length, MaximumLength; [MarshalAs(UnmanagedType.LPWStr)] public string Buffer; }
    [DllImport("advapi32.dll")]
    static extern uint LsaOpenPolicy(IntPtr system, ref Attributes attributes, uint access, out IntPtr policy);
    [DllImport("advapi32.dll")]
    static extern uint LsaStorePrivateData(IntPtr policy, ref Text name, IntPtr data);
    [DllImport("advapi32.dll")]
    static extern uint LsaRetrievePrivateData(IntPtr policy, ref Text name, out IntPtr data);
    [DllImport("advapi32.dll")]
    static extern uint LsaFreeMemory(IntPtr data);
    [DllImport("advapi32.dll")]
    static extern uint LsaClose(IntPtr policy);
    const uint Absent = 0xC0000034, CreateSecret = 0x20, GetPrivate = 0x4;
    static T With<T>(string name, Func<IntPtr, Text, T> act) {
      Attributes attributes = new Attributes();
      IntPtr policy;
      uint status = LsaOpenPolicy(IntPtr.Zero, ref attributes, CreateSecret | GetPrivate, out policy);
      if (status != 0) throw new InvalidOperationException("LsaOpenPolicy: 0x" + status.ToString("x"));
      try {
        Text text = new Text();
        text.Buffer = name;
        text.Length = (ushort)(name.Length * 2);
        text.MaximumLength = (ushort)(name.Length * 2 + 2);
        return act(policy, text);
      } finally { LsaClose(policy); }
    }
    public static void Clear(string name) {
      With<bool>(name, delegate(IntPtr policy, Text text) {
        uint status = LsaStorePrivateData(policy, ref text, IntPtr.Zero);
        if (status != 0 && status != Absent) throw new InvalidOperationException("LsaStorePrivateData: 0x" + status.ToString("x"));
        return true;
      });
    }
    public static bool Has(string name) {
      return With<bool>(name, delegate(IntPtr policy, Text text) {
        IntPtr data;
        uint status = LsaRetrievePrivateData(policy, ref text, out data);
        if (status == Absent) return false;
        if (status != 0) throw new InvalidOperationException("LsaRetrievePrivateData: 0x" + status.ToString("x"));
        if (data != IntPtr.Zero) LsaFreeMemory(data);
        return true;
      });
    }
  }
}
'@
  }
}

function Clear-Secret {
  param([string]$Name)
  Get-Lsa
  [Guesthouse.Lsa]::Clear($Name)
}

function Test-Secret {
  param([string]$Name)
  Get-Lsa
  return [Guesthouse.Lsa]::Has($Name)
}
