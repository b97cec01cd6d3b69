#region install
$places = @(Get-DriverFolder -Driver @('NetKVM', 'viostor', 'vioscsi', 'vioserial', 'Balloon', 'viorng', 'qxldod', 'pvpanic'))
if ($places.Count -eq 0) { throw 'No drive from D: to G: holds virtio drivers in a layout that is known.' }
foreach ($place in $places) {
  pnputil.exe /add-driver (Join-Path $place '*.inf') /install
  # 259: there was nothing newer; 3010: it holds from the next start on.
  if ($LASTEXITCODE -notin @(0, 259, 3010)) { throw "pnputil refused the drivers in $place (code $LASTEXITCODE)." }
}
pnputil.exe /scan-devices
#endregion

#region verify
# Red Hat's vendor id: whatever the machine has of virtio must have a driver that runs (a file on the disk proves nothing).
$devices = @(Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -like 'PCI\VEN_1AF4*' })
if ($devices.Count -eq 0) { throw 'The machine shows no virtio device.' }
# Vsock is a step of its own.
$broken = @($devices | Where-Object { $_.Status -ne 'OK' -and $_.InstanceId -notmatch 'DEV_(1012|1053)' })
if ($broken.Count -gt 0) { throw "Without a working driver: $(($broken | ForEach-Object { $_.InstanceId }) -join ', ')." }
#endregion

#region remediate
. $Step.Install
#endregion
