#region install
powercfg.exe /hibernate off
foreach ($what in @('standby-timeout-ac', 'standby-timeout-dc', 'hibernate-timeout-ac', 'monitor-timeout-ac', 'disk-timeout-ac')) {
  powercfg.exe /change $what 0
}
$key = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Power'
Set-ItemProperty -Path $key -Name HiberbootEnabled -Value 0 -Type DWord
#endregion

#region verify
$power = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Power'
if ($power.HibernateEnabled -ne 0) { throw 'Hibernation is on.' }
$session = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Power'
if ($session.HiberbootEnabled -ne 0) { throw 'Fast startup is on.' }
# The words of powercfg are translated, its numbers are not: alternating and direct current are the last two.
$numbers = @(powercfg.exe /query SCHEME_CURRENT SUB_SLEEP STANDBYIDLE |
  Select-String -Pattern '0x([0-9a-f]{8})\s*$' | ForEach-Object { $_.Matches[0].Groups[1].Value })
foreach ($number in ($numbers | Select-Object -Last 2)) {
  if ([Convert]::ToInt64($number, 16) -ne 0) { throw 'The computer goes to sleep by itself.' }
}
#endregion

#region remediate
. $Step.Install
#endregion
