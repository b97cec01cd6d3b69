# Begins the preparation of a disk that came with Windows; asked for by the guest agent, as SYSTEM, or over SSH by an
# administrator. It only begins: the rounds belong to a task, which outlives the agent's restart and the end of a connection.
Protect-Folder
if ($null -eq $Medium) { throw 'The medium with the steps is gone.' }
$task = 'Guesthouse continue'
Unregister-ScheduledTask -TaskName $task -Confirm:$false -ErrorAction SilentlyContinue
# What an earlier preparation left on this disk would be taken for this one's.
foreach ($name in @('begun', 'ready.json', 'failed.json', 'round', 'steps')) {
  Remove-Item -LiteralPath (Join-Path $Folder $name) -Recurse -Force -ErrorAction SilentlyContinue
}
foreach ($name in @('first-logon.ps1', 'verify.ps1', 'remediate.ps1')) {
  Copy-Item -LiteralPath (Join-Path $PSScriptRoot $name) -Destination $Folder -Force
}
$script = Join-Path $Folder 'first-logon.ps1'
$action = New-ScheduledTaskAction -Execute $PowerShell -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$script`""
$who = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
Register-ScheduledTask -TaskName $task -Action $action -Trigger (New-ScheduledTaskTrigger -AtStartup) -Principal $who -Force | Out-Null
# From here on it is begun: whoever asks again finds this, and Windows' next start goes on with it.
[IO.File]::WriteAllText((Join-Path $Folder 'begun'), $Guesthouse.Preparation, (New-Object Text.UTF8Encoding($false)))
Start-ScheduledTask -TaskName $task
