#region install
$action = New-ScheduledTaskAction -Execute $PowerShell -Argument "-NoProfile -NonInteractive -EncodedCommand $($Guesthouse.HealNic)"
$trigger = New-ScheduledTaskTrigger -Once -At (Get-Date) -RepetitionInterval (New-TimeSpan -Minutes 1)
$who = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
$settings = New-ScheduledTaskSettingsSet -MultipleInstances IgnoreNew -ExecutionTimeLimit (New-TimeSpan -Minutes 2) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
Register-ScheduledTask -TaskName 'Guesthouse heal network card' -Action $action -Trigger $trigger -Principal $who -Settings $settings -Force | Out-Null
#endregion

#region verify
$task = Get-ScheduledTask -TaskName 'Guesthouse heal network card' -ErrorAction SilentlyContinue
if ($null -eq $task) { throw 'The task that heals the network card is missing.' }
if ($task.State -eq 'Disabled') { throw 'The task that heals the network card is disabled.' }
if (-not $task.Actions[0].Arguments.EndsWith(" $($Guesthouse.HealNic)")) { throw 'The task that heals the network card is of another version.' }
#endregion

#region remediate
. $Step.Install
#endregion
