#region verify
if ($Guesthouse.EditionId -eq '') { return }
$edition = (Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion').EditionID
if ($edition -ne $Guesthouse.EditionId) { throw "The edition is $edition and not $($Guesthouse.EditionId)." }
#endregion

#region remediate
# Nothing short of another installation changes an edition without a key; verification goes on saying so.
Write-Log 'The edition is what setup chose. Make the image again with the edition that you want.'
#endregion
