# Runs every minute. A card that has a lease, or whose gateway answers, is left alone: restarting it would end every
# open connection. Only a card that is up and got neither is restarted, and at most once in five minutes.
$stamp = Join-Path $env:ProgramData 'Guesthouse\nic-healed'
if ((Test-Path -LiteralPath $stamp) -and ((Get-Date) - (Get-Item -LiteralPath $stamp).LastWriteTime).TotalMinutes -lt 5) { return }
foreach ($card in (Get-NetAdapter -Physical | Where-Object { $_.Status -eq 'Up' })) {
  $address = Get-NetIPAddress -InterfaceIndex $card.ifIndex -AddressFamily IPv4 -ErrorAction SilentlyContinue |
    Where-Object { $_.AddressState -eq 'Preferred' -and $_.IPAddress -notlike '169.254.*' }
  $gateway = (Get-NetRoute -InterfaceIndex $card.ifIndex -DestinationPrefix '0.0.0.0/0' -ErrorAction SilentlyContinue |
    Select-Object -First 1).NextHop
  $answers = $false
  if ($null -ne $gateway) {
    Test-Connection -ComputerName $gateway -Count 2 -Quiet | Out-Null
    # Not by the answer, which a gateway may refuse: by whether its hardware address could be found.
    $neighbour = Get-NetNeighbor -InterfaceIndex $card.ifIndex -IPAddress $gateway -ErrorAction SilentlyContinue
    $answers = $null -ne $neighbour -and $neighbour.State -in @('Reachable', 'Stale', 'Delay', 'Probe', 'Permanent')
  }
  if ($null -ne $address -and ($null -eq $gateway -or $answers)) { continue }
  Set-Content -LiteralPath $stamp -Value $card.Name
  Restart-NetAdapter -Name $card.Name -Confirm:$false
}
