# The first time by setup, as the account; after a restart by a task, as SYSTEM. A disk that came with Windows is prepared by
# the same rounds: there the task is made by begin.ps1, and what holds already is left as it is.
Protect-Folder
$task = 'Guesthouse continue'
$script = Join-Path $Folder 'first-logon.ps1'
$rounds = Join-Path $Folder 'round'
$round = if (Test-Path -LiteralPath $rounds) { [int](Get-Content -LiteralPath $rounds) } else { 0 }

if ($round -eq 0 -and $Guesthouse.Preparation -eq '') {
  # What was begun by another copy of itself, from the medium, goes on from here: the medium may be gone by then.
  foreach ($name in @('first-logon.ps1', 'verify.ps1', 'remediate.ps1')) {
    Copy-Item -LiteralPath (Join-Path $PSScriptRoot $name) -Destination $Folder -Force
  }
  foreach ($Step in ($Steps | Where-Object { $_.Phase -eq 'firstLogon' -and $_.Id -ne $Steps[-1].Id })) {
    Write-Result -Step $Step -Part 'Install' -Reason (Invoke-Part -Step $Step -Part 'Install')
  }
}

$failed = @()
foreach ($Step in ($Steps | Where-Object { $_.Id -ne $Steps[-1].Id })) {
  $reason = Invoke-Part -Step $Step -Part 'Verify'
  Write-Result -Step $Step -Part 'Verify' -Reason $reason
  if ($reason -ne '') { $failed += $Step }
}

if ($failed.Count -eq 0) {
  Unregister-ScheduledTask -TaskName $task -Confirm:$false -ErrorAction SilentlyContinue
  # The marker comes last, and only when all else holds.
  $Step = $Steps[-1]
  $reason = Invoke-Part -Step $Step -Part 'Install'
  if ($reason -eq '') { $reason = Invoke-Part -Step $Step -Part 'Verify' }
  Write-Result -Step $Step -Part 'Verify' -Reason $reason
  exit ([int]($reason -ne ''))
}

if ($round -ge 3) {
  Unregister-ScheduledTask -TaskName $task -Confirm:$false -ErrorAction SilentlyContinue
  Write-Log "Given up after $round rounds: $(($failed | ForEach-Object { $_.Id }) -join ', ')"
  [IO.File]::WriteAllText((Join-Path $Folder 'failed.json'), (@{ failed = @($failed | ForEach-Object { $_.Id }) } | ConvertTo-Json), (New-Object Text.UTF8Encoding($false)))
  exit 1
}

# Written before anything is mended: a machine that dies in remediation has used up a round, and never goes round for ever.
Set-Content -LiteralPath $rounds -Value ($round + 1)
foreach ($Step in $failed) {
  Write-Result -Step $Step -Part 'Remediate' -Reason (Invoke-Part -Step $Step -Part 'Remediate')
}
$action = New-ScheduledTaskAction -Execute $PowerShell -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$script`""
$who = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
Register-ScheduledTask -TaskName $task -Action $action -Trigger (New-ScheduledTaskTrigger -AtStartup) -Principal $who -Force | Out-Null
Restart-Computer -Force
