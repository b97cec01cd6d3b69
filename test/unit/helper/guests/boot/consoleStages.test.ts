import { expect, test } from "vitest";
import {
  stageOfLine,
  withoutControls,
} from "../../../../../src/helper/guests/boot/consoleStages.ts";

test.each([
  ["SeaBIOS (version 1.16.2-debian-1.16.2-1)", "firmware"],
  ["BdsDxe: loading Boot0001", "firmware"],
  ["Booting from Hard Disk...", "firmware"],
  ["[    0.000000] Linux version 6.1.0-38-amd64", "kernel"],
  ["[    0.000000][    T0] Linux version 6.8.0", "kernel"],
  ["EFI stub: Loaded initrd from command line option", "kernel"],
  ["[   12.100000] virtio_net virtio1 eth0: renamed", "kernel"],
  ["[    3.2] systemd[1]: Hostname set to <probe-vm>.", "init"],
  ["Welcome to \u001b[1mDebian GNU/Linux 12 (bookworm)\u001b[0m!", "init"],
  [
    "[\u001b[0;32m  OK  \u001b[0m] Reached target basic.target - Basic System.",
    "init",
  ],
  ["   OpenRC 0.52.1 is starting up Linux 6.6.14-0-virt (x86_64)", "init"],
  ["debian login: ", "init"],
  [
    "[  OK  ] Started cloud-init-local.service - Initial cloud-init job (pre-networking).",
    "cloud-init",
  ],
  [
    "         Starting cloud-init.service - Initial cloud-init job...",
    "cloud-init",
  ],
  [
    "[   20.1] cloud-init[300]: Cloud-init v. 22.4.2 running 'init' at Sat",
    "cloud-init",
  ],
  ["ci-info: | eth0 | True | 10.0.2.15 |", "cloud-init"],
  ["[  OK  ] Started ssh.service - OpenBSD Secure Shell server.", "sshd"],
  ["[  OK  ] Started sshd.service - OpenSSH server daemon.", "sshd"],
])("%s → %s", (line, stage) => expect(stageOfLine(line)).toBe(stage));

test.each([
  "",
  "── kernel · 1.0 s ──",
  "── sshd · 31.5 s ──",
  "Welcome to Fedora Linux 41 dracut-102 (Initramfs)!",
  "some text of an application",
])("says nothing of a stage: %s", (line) =>
  expect(stageOfLine(line)).toBeUndefined(),
);

test("colours, cursor movements and carriage returns go", () => {
  expect(
    withoutControls(
      "\u001b[2J\u001b[01;01H\u001b[?7l[\u001b[32m OK \u001b[m]\r",
    ),
  ).toBe("[ OK ]");
});
