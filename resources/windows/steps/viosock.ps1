#region install
if (-not $Guesthouse.Viosock) { return }
$places = @(Get-DriverFolder -Driver @('viosock'))
if ($places.Count -eq 0) { throw 'No drive from D: to G: holds the vsock driver.' }
foreach ($place in $places) {
  pnputil.exe /add-driver (Join-Path $place '*.inf') /install
  if ($LASTEXITCODE -notin @(0, 259, 3010)) { throw "pnputil refused the vsock driver (code $LASTEXITCODE)." }
}
pnputil.exe /scan-devices
#endregion

#region verify
if (-not $Guesthouse.Viosock) { return }
$device = Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -match 'VEN_1AF4&DEV_(1012|1053)' }
if ($null -eq $device) { throw 'The machine has no vsock device.' }
if ($device.Status -ne 'OK') { throw 'The vsock device has no working driver.' }
# The vendor's installer brings the driver and may leave the socket provider out; without it no program reaches the host.
$catalog = netsh.exe winsock show catalog | Out-String
if ($catalog -notmatch '(?i)viosock|virtio.*socket') { throw 'The vsock provider is not registered.' }
#endregion

#region remediate
. $Step.Install
#endregion
