#region install
# After everything else has been verified: whoever finds it may rely on all of it.
$value = @{ manifest = $Guesthouse.Manifest; finishedAt = (Get-Date).ToUniversalTime().ToString('o') } | ConvertTo-Json
[IO.File]::WriteAllText((Join-Path $Folder 'ready.json'), $value, (New-Object Text.UTF8Encoding($false)))
#endregion

#region verify
$file = Join-Path $Folder 'ready.json'
if (-not (Test-Path -LiteralPath $file)) { throw 'The marker is missing.' }
$manifest = (Get-Content -LiteralPath $file -Raw | ConvertFrom-Json).manifest
if ($manifest -ne $Guesthouse.Manifest) { throw "The marker is of another manifest: $manifest" }
#endregion

#region remediate
. $Step.Install
#endregion
