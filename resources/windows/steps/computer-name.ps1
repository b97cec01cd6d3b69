#region verify
if ($Guesthouse.ComputerName -eq '') { return }
if ($env:COMPUTERNAME -ne $Guesthouse.ComputerName) {
  throw "The computer is called $env:COMPUTERNAME and not $($Guesthouse.ComputerName)."
}
#endregion

#region remediate
# It holds from the next start on, which comes before the next verification.
Rename-Computer -NewName $Guesthouse.ComputerName -Force
#endregion
