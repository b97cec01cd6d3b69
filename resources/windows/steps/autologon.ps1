#region install
$key = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
Set-ItemProperty -Path $key -Name AutoAdminLogon -Value '0'
foreach ($name in @('DefaultPassword', 'AutoLogonCount', 'AutoLogonSID')) {
  Remove-ItemProperty -Path $key -Name $name -ErrorAction SilentlyContinue
}
# Setup may keep the password as a secret of the security authority too.
Clear-Secret -Name 'DefaultPassword'
# Setup's copies of the answer file hold it as clear text, or as base64, which is the same.
foreach ($copy in $AnswerFileCopies) {
  Remove-Item -LiteralPath $copy -Force -ErrorAction SilentlyContinue
}
#endregion

#region verify
$winlogon = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
if ($winlogon.AutoAdminLogon -eq '1') { throw 'Automatic logon is on.' }
if ($null -ne $winlogon.DefaultPassword) { throw 'The password of automatic logon is in the registry.' }
if (Test-Secret -Name 'DefaultPassword') { throw 'The password of automatic logon is kept as a secret.' }
foreach ($copy in $AnswerFileCopies) {
  if (Test-Path -LiteralPath $copy) { throw "A copy of the answer file is left: $copy" }
}
#endregion

#region remediate
. $Step.Install
#endregion
