import type { BootStage } from "../../../protocol/machines.ts";

/** The first pattern that matches names the stage; later stages first, as their lines also carry kernel time stamps. */
const signs: readonly (readonly [BootStage, RegExp])[] = [
  // systemd's and OpenRC's words for the service; the banner itself is what counts as reached.
  [
    "sshd",
    /(Started|Starting) .*(ssh\.service|sshd\.service|OpenBSD Secure Shell|OpenSSH server daemon|\bsshd\b)|Server listening on .* port 22\b/,
  ],
  [
    "cloud-init",
    /Cloud-init v\. |cloud-init\[\d+\]:|(Starting|Started|Finished) .*cloud-(init|config|final)|ci-info: /,
  ],
  // An initramfs with systemd in it says "Welcome to … (Initramfs)": that is still the kernel's stage.
  [
    "init",
    /Welcome to (?!.*[Ii]nitramfs)|systemd\[1\]: (?!.*[Ii]nitramfs|.*initrd)|\[ {2}OK {2}\]|OpenRC .*is starting up|^INIT: version|^\S+ login: ?$/,
  ],
  [
    "kernel",
    /^\[ *\d+\.\d{6}\](\[ *[TC]\d+\])? |^Linux version |^Booting Linux on physical CPU|^EFI stub: |^Decompressing Linux/,
  ],
  [
    "firmware",
    /^SeaBIOS |^iPXE |^BdsDxe: |^UEFI firmware|^Booting from |^GRUB |Loading Linux |^Loading initial ramdisk/,
  ],
];

/** Which stage a line of the console belongs to; undefined when it says nothing about that. Pure. */
export function stageOfLine(line: string): BootStage | undefined {
  const text = withoutControls(line);
  return signs.find(([, sign]) => sign.test(text))?.[0];
}

/** The line as a reader sees it: no colours, cursor movements, carriage returns. */
export const withoutControls = (line: string): string =>
  line
    // eslint-disable-next-line no-control-regex
    .replace(/\u001b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Z0-9]|[=>78cMc])/g, "")
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, "");
