#region install
Set-NetFirewallProfile -All -Enabled True
# What the package made may hold for one profile only.
Get-NetFirewallRule -Name 'Guesthouse-SSH', 'OpenSSH-Server-In-TCP' -ErrorAction SilentlyContinue | Remove-NetFirewallRule
New-NetFirewallRule -Name 'Guesthouse-SSH' -DisplayName 'OpenSSH server (Guesthouse)' -Direction Inbound -Protocol TCP -LocalPort 22 -Action Allow -Profile Any -Enabled True | Out-Null
#endregion

#region verify
foreach ($firewall in (Get-NetFirewallProfile -PolicyStore ActiveStore)) {
  if ($firewall.Enabled -ne 'True') { throw "The firewall is off in the profile $($firewall.Name)." }
}
$rule = Get-NetFirewallRule -Name 'Guesthouse-SSH' -ErrorAction SilentlyContinue
if ($null -eq $rule -or $rule.Enabled -ne 'True' -or $rule.Action -ne 'Allow') { throw 'Port 22 is not let in.' }
if ($rule.Profile -ne 'Any') { throw "Port 22 is let in for $($rule.Profile) only." }
if (($rule | Get-NetFirewallPortFilter).LocalPort -ne '22') { throw 'The rule for port 22 lets in another port.' }
# Plain-text remote management was not asked for by anybody.
$winrm = Get-Service -Name WinRM -ErrorAction SilentlyContinue
if ($null -ne $winrm -and $winrm.Status -eq 'Running') {
  $plain = (Get-Item 'WSMan:\localhost\Service\AllowUnencrypted' -ErrorAction SilentlyContinue).Value
  if ($plain -eq 'true') { throw 'Remote management without encryption is on.' }
}
#endregion

#region remediate
. $Step.Install
$winrm = Get-Service -Name WinRM -ErrorAction SilentlyContinue
if ($null -ne $winrm -and $winrm.Status -eq 'Running') {
  Set-Item -Path 'WSMan:\localhost\Service\AllowUnencrypted' -Value $false
}
#endregion
