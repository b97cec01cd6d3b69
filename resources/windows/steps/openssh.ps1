#region install
$package = Join-Path $Medium $Guesthouse.OpenSsh.File
$digest = (Get-FileHash -LiteralPath $package -Algorithm SHA256).Hash
if ($digest -ne $Guesthouse.OpenSsh.Sha256) { throw "The OpenSSH package on the medium is not the one that was put there ($digest)." }
Install-Msi -Path $package
#endregion

#region verify
$service = Get-Service -Name sshd -ErrorAction SilentlyContinue
if ($null -eq $service) { throw 'The OpenSSH server is not installed.' }
if ($service.Status -ne 'Running') { throw "The OpenSSH server is $($service.Status)." }
# What it says is the effect: an open port alone could be the host's own.
$client = New-Object Net.Sockets.TcpClient('127.0.0.1', 22)
try {
  $client.ReceiveTimeout = 10000
  $banner = (New-Object IO.StreamReader($client.GetStream())).ReadLine()
} finally {
  $client.Dispose()
}
if ($banner -notlike 'SSH-2.0-*') { throw "Port 22 answers: $banner" }
#endregion

#region remediate
if ($null -eq (Get-Service -Name sshd -ErrorAction SilentlyContinue)) { . $Step.Install }
Set-Service -Name sshd -StartupType Automatic
Restart-Service -Name sshd -Force
#endregion
