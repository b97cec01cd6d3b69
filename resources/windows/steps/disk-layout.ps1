#region verify
$partition = Get-Partition -DriveLetter $env:SystemDrive.Substring(0, 1)
$disk = Get-Disk -Number $partition.DiskNumber
if ($disk.PartitionStyle -ne 'GPT') { throw "The disk is $($disk.PartitionStyle) and not GPT." }
$efi = Get-Partition -DiskNumber $disk.Number |
  Where-Object { $_.GptType -eq '{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}' }
if ($null -eq $efi) { throw 'The disk has no EFI system partition.' }
$unused = $disk.Size - ($disk.AllocatedSize)
if ($unused -gt 1073741824) { throw "$unused bytes of the disk belong to no partition." }
#endregion

#region remediate
# A disk that grew is mended; another layout takes another installation, and verification goes on saying so.
$letter = $env:SystemDrive.Substring(0, 1)
$largest = (Get-PartitionSupportedSize -DriveLetter $letter).SizeMax
if ($largest -gt (Get-Partition -DriveLetter $letter).Size) {
  Resize-Partition -DriveLetter $letter -Size $largest
}
#endregion
