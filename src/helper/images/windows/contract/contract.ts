import { given } from "../../../../base/given.ts";
import type { ContractLine } from "./contractLine.ts";
import { linesOfAll } from "./contractOfAll.ts";
import { encodedCommand } from "../../../guests/programs/powershell.ts";
import { type StepSources, windowsSteps } from "../steps/steps.ts";

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

interface Asked {
  readonly id: string;
  readonly title: string;
  /** What holds when the answer is as expected, for people. */
  readonly judged: string;
  readonly expect: RegExp;
  /** Default: 0. */
  readonly code?: number;
}

const powershell = ({
  script,
  expect,
  code,
  ...line
}: Asked & { readonly script: string }): ContractLine => ({
  ...{ ...line, system: "windows", asked: script },
  question: {
    ...{ by: "powershell", script, expect },
    ...given({ code }),
  },
});

const overSsh = ({
  command: [asked, command],
  expect,
  code,
  ...line
}: Asked & {
  /** As people read it, and as it is sent. */
  readonly command: readonly [string, string];
}): ContractLine => ({
  ...{ ...line, asked, system: "windows" },
  question: {
    ...{ by: "ssh", command, expect },
    ...given({ code }),
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
  powershell({
    id: "agent.powershell",
    title: "PowerShell started by the agent gives its output and exit code",
    script: "Write-Output 'guesthouse'; exit 7",
    judged: "It prints guesthouse and ends with code 7.",
    expect: /^guesthouse$/,
    code: 7,
  }),
  powershell({
    id: "agent.output",
    title: "A megabyte of output arrives whole",
    script: "Write-Output ('x' * 1048576)",
    judged: "It is 1,048,576 times the same letter.",
    expect: /^x{1048576}$/,
  }),
  powershell({
    id: "agent.account",
    title: "The agent acts as SYSTEM",
    script: "[Security.Principal.WindowsIdentity]::GetCurrent().User.Value",
    judged: "It is S-1-5-18.",
    expect: /^S-1-5-18$/,
  }),
  powershell({
    id: "firmware.secure-boot",
    title: "Windows was started by UEFI with Secure Boot",
    script: "Confirm-SecureBootUEFI",
    judged: "It says True.",
    expect: /^True$/,
  }),
  powershell({
    id: "firmware.tpm",
    title: "Windows drives the TPM, of version 2.0",
    script:
      "$tpm = Get-CimInstance -Namespace 'root\\cimv2\\Security\\MicrosoftTpm' -ClassName Win32_Tpm; \"$($tpm.SpecVersion.Split(',')[0]) $($tpm.IsEnabled_InitialValue)\"",
    judged: "It is 2.0 and enabled.",
    expect: /^2\.0 True$/,
  }),
  powershell({
    id: "hardware.devices",
    title: "Every device has a driver that works",
    script:
      "@(Get-PnpDevice -PresentOnly | Where-Object { $_.Status -ne 'OK' } | ForEach-Object { $_.InstanceId }) -join ' '; 'end'",
    judged: "No device is named.",
    expect: /^end$/,
  }),
  powershell({
    id: "hardware.disk",
    title: "Windows starts from the AHCI disk, or from the virtio one",
    script:
      'Get-Disk | Where-Object { $_.IsBoot } | ForEach-Object { "$($_.BusType) $($_.PartitionStyle) $($_.OperationalStatus)" }',
    judged:
      "Its bus is SATA (AHCI), or SCSI or RAID (virtio); it is GPT and online.",
    expect: /^(SATA|SCSI|RAID) GPT Online$/,
  }),
  powershell({
    id: "hardware.network",
    title: "The network card is up",
    script:
      "Get-NetAdapter -Physical | Where-Object { $_.Status -eq 'Up' } | ForEach-Object { $_.InterfaceDescription }",
    judged: "It is the Intel card of the installation or the virtio one.",
    expect: /^(Intel\(R\) .*82574|Red Hat VirtIO Ethernet)/,
  }),
  powershell({
    id: "hardware.pointer",
    title: "The pointer is QEMU's tablet",
    script:
      "@(Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -like 'HID\\VID_0627&PID_0001*' -and $_.Status -eq 'OK' }).Count -gt 0",
    judged: "It says True.",
    expect: /^True$/,
  }),
  powershell({
    id: "hardware.generation",
    title:
      "Windows sees the generation id, by which it notices that it was copied",
    script:
      "@(Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -like 'ACPI\\QEMUVGID*' -and $_.Status -eq 'OK' }).Count -gt 0",
    judged: "It says True.",
    expect: /^True$/,
  }),
  powershell({
    id: "hardware.hypervisor",
    title: "Windows knows that it is a guest",
    script:
      "(Get-CimInstance -ClassName Win32_ComputerSystem).HypervisorPresent",
    judged: "It says True.",
    expect: /^True$/,
  }),
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
  overSsh({
    id: "ssh.shell",
    title: "The shell of SSH is cmd.exe",
    command: asIs("echo %OS%"),
    judged: "It prints Windows_NT.",
    expect: /^Windows_NT$/,
  }),
  overSsh({
    id: "ssh.elevated",
    title: "A login by key has an administrator's rights",
    command: asIs("whoami /groups"),
    judged: "The high integrity level (S-1-16-12288) is among the groups.",
    expect: /S-1-16-12288/,
  }),
  overSsh({
    id: "ssh.encoded",
    title: "An encoded script passes through cmd.exe as it is",
    command: encoded("Write-Output 'a \"b\" %OS% & ^ | c'; exit 7"),
    judged: "It prints the text unchanged and ends with code 7.",
    expect: /^a "b" %OS% & \^ \| c$/,
    code: 7,
  }),
  overSsh({
    id: "ssh.long",
    title: "A command just below cmd.exe's 8,191 characters is taken",
    command: [
      "powershell.exe -EncodedCommand (a script of 3,009 characters)",
      encodedCommand(longScript),
    ],
    judged: "It prints 3000.",
    expect: /^3000$/,
  }),
  overSsh({
    id: "ssh.home",
    title: "The login begins in the user's folder",
    command: asIs("cd"),
    judged: "It is below C:\\Users.",
    expect: /^C:\\Users\\[^\\]+$/i,
  }),
];
