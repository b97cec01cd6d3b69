#region verify
$broken = Get-PnpDevice -PresentOnly -Class 'SCSIAdapter', 'HDC', 'Net' -ErrorAction SilentlyContinue |
  Where-Object { $_.Status -ne 'OK' }
if ($broken) { throw "Without a working driver: $(($broken | ForEach-Object { $_.FriendlyName }) -join ', ')." }
#endregion

#region remediate
foreach ($place in (Get-DriverFolder -Driver @('viostor', 'vioscsi', 'NetKVM'))) {
  pnputil.exe /add-driver (Join-Path $place '*.inf') /install
}
pnputil.exe /scan-devices
#endregion
