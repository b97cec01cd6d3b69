# Mends what verification finds wrong, the marker last; says what is still wrong afterwards.
Protect-Folder
$code = 0
foreach ($Step in $Steps) {
  if ((Invoke-Part -Step $Step -Part 'Verify') -eq '') { continue }
  # The marker would say that all is well.
  if ($code -ne 0 -and $Step.Id -eq $Steps[-1].Id) {
    $reason = 'Other steps failed.'
  } else {
    $reason = Invoke-Part -Step $Step -Part 'Remediate'
    if ($reason -eq '') { $reason = Invoke-Part -Step $Step -Part 'Verify' }
  }
  if ($reason -ne '') { $code = 1 }
  Write-Result -Step $Step -Part 'Remediate' -Reason $reason
}
exit $code
