#region install
$package = @('D', 'E', 'F', 'G') |
  ForEach-Object { "${_}:\guest-agent\qemu-ga-x86_64.msi" } |
  Where-Object { Test-Path -LiteralPath $_ } | Select-Object -First 1
if ($null -eq $package) { throw 'No drive from D: to G: holds guest-agent\qemu-ga-x86_64.msi.' }
Install-Msi -Path $package
Set-Service -Name QEMU-GA -StartupType Automatic
sc.exe failure QEMU-GA reset= 86400 actions= restart/5000/restart/5000/restart/30000
Start-Service -Name QEMU-GA
#endregion

#region verify
$service = Get-CimInstance -ClassName Win32_Service -Filter "Name='QEMU-GA'"
if ($null -eq $service) { throw 'The guest agent is not installed.' }
if ($service.State -ne 'Running') { throw "The guest agent is $($service.State)." }
if ($service.StartMode -ne 'Auto') { throw "The guest agent is started $($service.StartMode)." }
#endregion

#region remediate
if ($null -eq (Get-Service -Name QEMU-GA -ErrorAction SilentlyContinue)) { . $Step.Install }
Set-Service -Name QEMU-GA -StartupType Automatic
Restart-Service -Name QEMU-GA -Force
#endregion
