#region install
$key = 'HKLM:\SYSTEM\CurrentControlSet\Control\BitLocker'
New-Item -Path $key -Force | Out-Null
Set-ItemProperty -Path $key -Name PreventDeviceEncryption -Value 1 -Type DWord
#endregion

#region verify
$prevented = (Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\BitLocker' -ErrorAction SilentlyContinue).PreventDeviceEncryption
if ($prevented -ne 1) { throw 'Device encryption is not prevented.' }
$volume = Get-CimInstance -Namespace 'root\cimv2\Security\MicrosoftVolumeEncryption' -ClassName Win32_EncryptableVolume -ErrorAction SilentlyContinue |
  Where-Object { $_.DriveLetter -eq $env:SystemDrive }
if ($null -ne $volume -and $volume.ConversionStatus -ne 0) { throw 'The system volume is encrypted, or about to be.' }
#endregion

#region remediate
. $Step.Install
manage-bde.exe -off $env:SystemDrive
#endregion
