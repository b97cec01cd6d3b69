#region install
$file = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
[IO.File]::WriteAllLines($file, [string[]]$Guesthouse.AuthorizedKeys, (New-Object Text.UTF8Encoding($false)))
# By identifiers (SYSTEM, Administrators): names are translated. sshd ignores the file when anybody else may write to it.
$acl = New-Object Security.AccessControl.FileSecurity
$acl.SetAccessRuleProtection($true, $false)
$acl.SetOwner([Security.Principal.SecurityIdentifier]'S-1-5-32-544')
foreach ($sid in @('S-1-5-18', 'S-1-5-32-544')) {
  $who = [Security.Principal.SecurityIdentifier]$sid
  $acl.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($who, 'FullControl', 'Allow')))
}
Set-Acl -LiteralPath $file -AclObject $acl
#endregion

#region verify
$file = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
$there = @(Get-Content -LiteralPath $file -ErrorAction Stop)
foreach ($key in $Guesthouse.AuthorizedKeys) {
  if ($there -notcontains $key) { throw 'A key is missing in administrators_authorized_keys.' }
}
$acl = Get-Acl -LiteralPath $file
if (-not $acl.AreAccessRulesProtected) { throw 'administrators_authorized_keys inherits its permissions.' }
$allowed = @('S-1-5-18', 'S-1-5-32-544')
foreach ($rule in $acl.GetAccessRules($true, $true, [Security.Principal.SecurityIdentifier])) {
  if ($rule.IdentityReference.Value -notin $allowed) { throw "$($rule.IdentityReference.Value) may use administrators_authorized_keys." }
}
$owner = $acl.GetOwner([Security.Principal.SecurityIdentifier]).Value
if ($owner -notin $allowed) { throw "administrators_authorized_keys belongs to $owner." }
#endregion

#region remediate
. $Step.Install
#endregion
