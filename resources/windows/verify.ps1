# One line of JSON a step; the code says whether all of them hold.
$code = 0
foreach ($Step in $Steps) {
  $reason = Invoke-Part -Step $Step -Part 'Verify'
  if ($reason -ne '') { $code = 1 }
  Write-Output (@{ id = $Step.Id; ok = ($reason -eq ''); reason = $reason } | ConvertTo-Json -Compress)
}
exit $code
