import type { ContractLine } from "./contractLine.ts";
import { linesOfAll } from "./contractOfAll.ts";
import { encodedCommand } from "./powershell.ts";
import { type StepSources, windowsSteps } from "./steps.ts";

/** Where a prepared Windows has the scripts of the answer medium. */
export const preparedFolder = "C:\\ProgramData\\Guesthouse";
export const verifyScript = `${preparedFolder}\\verify.ps1`;

/**
 * Everything that is expected of a guest and that nobody has seen on Windows yet, one line each. The self-test runs
 * this table, and the page docs/windows.md is made of it. No line changes anything in the guest but a file that it
 * removes again. Pure.
 */
export const contractLines = (sources: StepSources): ContractLine[] => [
  ...linesOfAll,
  ...windowsLines,
  ...windowsSteps(sources).map(({ id, title }): ContractLine => ({
    id: `step.${id}`,
    title,
    system: "windows",
    asked: `${verifyScript}, its line for ${id}`,
    judged: "It says ok.",
    question: { by: "step", step: id },
  })),
];

const powershell = (
  id: string,
  title: string,
  script: string,
  judged: string,
  expect: RegExp,
  code?: number,
): ContractLine => ({
  ...{ id, title, judged, system: "windows", asked: script },
  question: {
    ...{ by: "powershell", script, expect },
    ...(code === undefined ? {} : { code }),
  },
});

const overSsh = (
  id: string,
  title: string,
  [asked, command]: readonly [string, string],
  judged: string,
  expect: RegExp,
  code?: number,
): ContractLine => ({
  ...{ id, title, judged, asked, system: "windows" },
  question: {
    ...{ by: "ssh", command, expect },
    ...(code === undefined ? {} : { code }),
  },
});

const asIs = (command: string): readonly [string, string] => [command, command];
const encoded = (script: string): readonly [string, string] => [
  `powershell.exe -EncodedCommand (${script})`,
  encodedCommand(script),
];

/** Makes a command of over 8,000 of the 8,191 characters that cmd.exe takes. */
const longScript = `'${"x".repeat(3_000)}'.Length`;

const windowsLines: readonly ContractLine[] = [
  {
    id: "agent.windows",
    title: "The agent says that this is Windows",
    system: "windows",
    asked: "guest-get-osinfo",
    judged: "The id is mswindows.",
    question: { by: "agent", call: "system" },
  },
  powershell(
    "agent.powershell",
    "PowerShell started by the agent gives its output and exit code",
    "Write-Output 'guesthouse'; exit 7",
    "It prints guesthouse and ends with code 7.",
    /^guesthouse$/,
    7,
  ),
  powershell(
    "agent.output",
    "A megabyte of output arrives whole",
    "Write-Output ('x' * 1048576)",
    "It is 1,048,576 times the same letter.",
    /^x{1048576}$/,
  ),
  powershell(
    "agent.account",
    "The agent acts as SYSTEM",
    "[Security.Principal.WindowsIdentity]::GetCurrent().User.Value",
    "It is S-1-5-18.",
    /^S-1-5-18$/,
  ),
  powershell(
    "firmware.secure-boot",
    "Windows was started by UEFI with Secure Boot",
    "Confirm-SecureBootUEFI",
    "It says True.",
    /^True$/,
  ),
  powershell(
    "firmware.tpm",
    "Windows drives the TPM, of version 2.0",
    "$tpm = Get-CimInstance -Namespace 'root\\cimv2\\Security\\MicrosoftTpm' -ClassName Win32_Tpm; \"$($tpm.SpecVersion.Split(',')[0]) $($tpm.IsEnabled_InitialValue)\"",
    "It is 2.0 and enabled.",
    /^2\.0 True$/,
  ),
  powershell(
    "hardware.devices",
    "Every device has a driver that works",
    "@(Get-PnpDevice -PresentOnly | Where-Object { $_.Status -ne 'OK' } | ForEach-Object { $_.InstanceId }) -join ' '; 'end'",
    "No device is named.",
    /^end$/,
  ),
  powershell(
    "hardware.disk",
    "Windows starts from the AHCI disk, or from the virtio one",
    'Get-Disk | Where-Object { $_.IsBoot } | ForEach-Object { "$($_.BusType) $($_.PartitionStyle) $($_.OperationalStatus)" }',
    "Its bus is SATA (AHCI), or SCSI or RAID (virtio); it is GPT and online.",
    /^(SATA|SCSI|RAID) GPT Online$/,
  ),
  powershell(
    "hardware.network",
    "The network card is up",
    "Get-NetAdapter -Physical | Where-Object { $_.Status -eq 'Up' } | ForEach-Object { $_.InterfaceDescription }",
    "It is the Intel card of the installation or the virtio one.",
    /^(Intel\(R\) .*82574|Red Hat VirtIO Ethernet)/,
  ),
  powershell(
    "hardware.pointer",
    "The pointer is QEMU's tablet",
    "@(Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -like 'HID\\VID_0627&PID_0001*' -and $_.Status -eq 'OK' }).Count -gt 0",
    "It says True.",
    /^True$/,
  ),
  powershell(
    "hardware.generation",
    "Windows sees the generation id, by which it notices that it was copied",
    "@(Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -like 'ACPI\\QEMUVGID*' -and $_.Status -eq 'OK' }).Count -gt 0",
    "It says True.",
    /^True$/,
  ),
  powershell(
    "hardware.hypervisor",
    "Windows knows that it is a guest",
    "(Get-CimInstance -ClassName Win32_ComputerSystem).HypervisorPresent",
    "It says True.",
    /^True$/,
  ),
  {
    id: "prepared.ready",
    title: "The last step of the preparation left its marker",
    system: "windows",
    asked: `guest-file-read ${preparedFolder}\\ready.json`,
    judged: "It is there and is JSON.",
    question: {
      by: "file",
      path: `${preparedFolder}\\ready.json`,
      expect: /^\ufeff?\{[^]*\}$/,
    },
  },
  overSsh(
    "ssh.shell",
    "The shell of SSH is cmd.exe",
    asIs("echo %OS%"),
    "It prints Windows_NT.",
    /^Windows_NT$/,
  ),
  overSsh(
    "ssh.elevated",
    "A login by key has an administrator's rights",
    asIs("whoami /groups"),
    "The high integrity level (S-1-16-12288) is among the groups.",
    /S-1-16-12288/,
  ),
  overSsh(
    "ssh.encoded",
    "An encoded script passes through cmd.exe as it is",
    encoded("Write-Output 'a \"b\" %OS% & ^ | c'; exit 7"),
    "It prints the text unchanged and ends with code 7.",
    /^a "b" %OS% & \^ \| c$/,
    7,
  ),
  overSsh(
    "ssh.long",
    "A command just below cmd.exe's 8,191 characters is taken",
    [
      "powershell.exe -EncodedCommand (a script of 3,009 characters)",
      encodedCommand(longScript),
    ],
    "It prints 3000.",
    /^3000$/,
  ),
  overSsh(
    "ssh.home",
    "The login begins in the user's folder",
    asIs("cd"),
    "It is below C:\\Users.",
    /^C:\\Users\\[^\\]+$/i,
  ),
];
