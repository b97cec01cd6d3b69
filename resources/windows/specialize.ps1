# Before anybody logs on: nothing is verified yet, the first logon does that for all steps.
Protect-Folder
foreach ($Step in ($Steps | Where-Object { $_.Phase -eq 'specialize' -and $null -ne $_.Install })) {
  Write-Result -Step $Step -Part 'Install' -Reason (Invoke-Part -Step $Step -Part 'Install')
}
# Setup stops at a command that fails; a failed step is for verification and remediation to deal with.
exit 0
