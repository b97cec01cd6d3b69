#region verify
$user = Get-LocalUser -Name $Guesthouse.User -ErrorAction SilentlyContinue
if ($null -eq $user) { throw "There is no account $($Guesthouse.User)." }
if (-not $user.Enabled) { throw "The account $($Guesthouse.User) is disabled." }
# By its identifier: the group's name is translated.
$administrators = Get-LocalGroupMember -SID 'S-1-5-32-544'
if (-not ($administrators | Where-Object { $_.SID -eq $user.SID })) {
  throw "The account $($Guesthouse.User) is no administrator."
}
#endregion

#region remediate
$user = Get-LocalUser -Name $Guesthouse.User -ErrorAction SilentlyContinue
if ($null -eq $user) {
  # Nobody needs to know this password: the key logs in, and an administrator can set another.
  $bytes = New-Object byte[] 24
  [Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($bytes)
  $password = ConvertTo-SecureString -String ([Convert]::ToBase64String($bytes) + 'aA1!') -AsPlainText -Force
  $user = New-LocalUser -Name $Guesthouse.User -Password $password -PasswordNeverExpires
}
Enable-LocalUser -SID $user.SID
$members = Get-LocalGroupMember -SID 'S-1-5-32-544'
if (-not ($members | Where-Object { $_.SID -eq $user.SID })) {
  Add-LocalGroupMember -SID 'S-1-5-32-544' -Member $Guesthouse.User
}
#endregion
