#region install
$config = Join-Path $env:ProgramData 'ssh\sshd_config'
if (-not (Test-Path -LiteralPath $config)) {
  # The service writes the default at its first start.
  Restart-Service -Name sshd -Force
  Start-Sleep -Seconds 3
}
# sshd takes the first value that it meets, so ours go to the top; what is there of them already is left out.
$wanted = @('AllowTcpForwarding yes', 'PasswordAuthentication no', 'PubkeyAuthentication yes')
$names = '^\s*(AllowTcpForwarding|PasswordAuthentication|PubkeyAuthentication)\s'
$others = @(Get-Content -LiteralPath $config | Where-Object { $_ -notmatch $names })
[IO.File]::WriteAllLines($config, [string[]]($wanted + $others), (New-Object Text.UTF8Encoding($false)))
Set-Service -Name sshd -StartupType Automatic
sc.exe config sshd start= delayed-auto
sc.exe failure sshd reset= 86400 actions= restart/5000/restart/5000/restart/30000
Restart-Service -Name sshd -Force
#endregion

#region verify
$sshd = (Get-CimInstance -ClassName Win32_Service -Filter "Name='sshd'").PathName.Trim('"')
# sshd's own word on what it reads, whatever is written where.
$effective = & $sshd -T
foreach ($line in @('allowtcpforwarding yes', 'passwordauthentication no', 'pubkeyauthentication yes')) {
  if ($effective -notcontains $line) { throw "sshd does not say: $line" }
}
$service = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Services\sshd'
if ($service.Start -ne 2 -or $service.DelayedAutostart -ne 1) { throw 'sshd is not started late.' }
if ($null -eq $service.FailureActions) { throw 'sshd is not started again after a failure.' }
#endregion

#region remediate
. $Step.Install
#endregion
