#region verify
if (-not $Guesthouse.Tpm) { return }
$tpm = Get-CimInstance -Namespace 'root\cimv2\Security\MicrosoftTpm' -ClassName Win32_Tpm
if ($null -eq $tpm) { throw 'The machine has a TPM, but Windows sees none.' }
if (-not $tpm.SpecVersion.StartsWith('2.0')) { throw "The TPM is of version $($tpm.SpecVersion)." }
#endregion

#region remediate
pnputil.exe /scan-devices
#endregion
