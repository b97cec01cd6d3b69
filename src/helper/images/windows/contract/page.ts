import { contractLines } from "./contract.ts";
import { openSshPackage } from "../steps/openSsh.ts";
import {
  type StepSources,
  type WindowsPhase,
  type WindowsStep,
  windowsPhases,
  windowsSteps,
} from "../steps/steps.ts";

const phaseTitles: Readonly<Record<WindowsPhase, string>> = {
  windowsPE: "Setup starts (windowsPE)",
  specialize: "Windows finds its hardware (specialize)",
  oobe: "The first desktop is made ready (oobe)",
  firstLogon: "The first logon",
};

/** The page docs/windows.md, as Markdown. Pure. */
export function windowsPage(sources: StepSources): string {
  const steps = windowsSteps(sources);
  return `${introduction}
${whatCanBeDone}
${howItIsMade}
## Steps

Each step can be installed, verified by its effect, and remediated.

${windowsPhases.map((phase) => phaseTable(phase, steps)).join("\n\n")}

## The contract: unverified on Windows

\`guesthouse selftest VM\` asks a guest that runs each line of this table and writes a transcript, as JSON and as Markdown,
which holds versions, times and answers and is made to hold no secrets. The exit code says whether all lines hold. A Linux guest
keeps those that are for every guest, and fails those of Windows (seen); no Windows was ever asked. Please send us yours.

${contractTable(sources)}

Beside these there is a line for each step above, \`step.language\` to \`step.${steps.at(-1)?.id ?? ""}\`: what the step's own
verification says.
`;
}

const introduction = `# Windows images

Made from \`resources/windows/steps\` by \`src/helper/images/windows/contract/page.ts\`; a test holds one against the other.

**Unverified on Windows.** No Windows was ever run by those who wrote this: there is no medium that they could have used.
What is shown here are its parts, with stand-ins: the answer file against the settings that are known, the medium by three other
programs' reading, the scripts by a PowerShell grammar, the ISO reader and the boot overlay with images made for it. What
Windows does with all of it is unverified until somebody's transcript says otherwise.

You bring the ISO; Guesthouse neither has nor fetches one, and nothing that is made of it is ever published.
`;

const whatCanBeDone = `## What can be done today

\`guesthouse image inspect FILE\` reads an installation ISO, without mounting it or changing it, and tells its editions,
languages, version and processor.

\`guesthouse image windows --iso FILE --virtio-iso FILE\` installs one of them and makes an image of it. All of it was run with
a stand-in for the ISO: a Linux that restarts, grows its disk and plays the files that the scripts write, with QEMU's own guest
agent. With Windows it is unverified; where it doesn't end well, it says where its log and the last picture of its screen are.

- \`--edition\` and \`--language\` choose among what the ISO has; \`--name\` is the image's, \`--user\` the account's.
- \`--virtio-iso\` is the ISO of the virtio drivers, which you bring too: without the drivers and the guest agent in it nothing
  could be verified. \`--openssh\` gives the OpenSSH package where it can't be downloaded.
- The stages are firmware, setup, specialize, first logon (step N of M), verification and remediation (round N of 3). The screen is
  there on a unix socket for VNC, whose path is printed.
- The installation belongs to the helper: it goes on without a window, and after a restart of the helper. After 20 minutes in which
  nothing moved, neither the disk nor a restart nor a step, it says so; after 60 it ends. \`guesthouse image cancel NAME\` ends it
  and leaves nothing behind.

\`guesthouse image windows --disk FILE --virtio-iso FILE\` does the same with a disk that has Windows already (qcow2, raw, vmdk,
vhdx, vdi), by the same steps. Your file is only read: what is written goes to a layer above a copy.

- It must start by UEFI, and QEMU's guest agent must answer in it: by the agent the steps are begun. Where none has answered
  after 5 minutes they are begun over SSH, as \`--user\` with \`--password-file\` or \`--key\`, if one was given; the steps
  themselves install the agent. The server's key is taken as it is: the port is one of this host, held by QEMU itself.
- Where nobody answers within 30 minutes it ends, says what to install inside, and leaves its log and the last picture of its
  screen.
- Every step is verified before anything is mended, so what holds already is left as it is: nothing is installed twice. Language,
  computer name and edition stay the disk's own. \`--user\` names the administrator's account, which is made where there is none; the
  keys of administrators, automatic logon and sshd's settings become those of the steps.
- The stages are firmware, start, verification and remediation. A step that can't be mended, such as an MBR disk, is named.
- It was run with a Linux on such a disk and QEMU's own guest agent, which played the scripts' part. With Windows it is
  unverified.

\`guesthouse image import --os windows FILE\` takes a disk as it is: it is not started, and nothing in it is verified; the image's
report says so.
`;

const howItIsMade = `## How an image is made

- The answer medium is a second CD: \`autounattend.xml\` (left out for a disk that has Windows), the scripts, a marker file by which
  they find it, and the OpenSSH package (${openSshPackage.version}, pinned by its SHA-256). It is an ISO 9660 volume with Joliet
  names.
- Setup's own limits are kept: a command of the first logon has 1,024 characters, one of \`specialize\` 259. So each is one
  short line that finds the medium and runs one script, which owns the order and writes a result for each step to
  \`C:\\ProgramData\\Guesthouse\\steps\`.
- After the first logon every step is verified. What fails is remediated, Windows restarts, and all is verified again, three
  times at most. The marker \`ready.json\` is written last and only when everything else holds; \`failed.json\` names what
  couldn't be mended.
- The account's password is random and new for each image. The answer file holds it as clear text (what Windows calls hidden is
  base64), so a step removes it, the automatic logon and every copy that setup made.
- “Press any key to boot from CD” is avoided by an overlay above the ISO, whose boot catalog names the loader that doesn't
  ask. The ISO itself stays as it is ([0013](decisions/0013-windows-media.md)).

- The machine is a q35 with UEFI firmware built for Secure Boot and variables of its own, a TPM 2.0 by swtpm, its disk and CDs on
  AHCI, a network card that Windows knows, a tablet for the pointer, and Hyper-V's hints under KVM. All of it was booted under
  emulation with Debian's signed shim, boot loader and kernel in Windows' place: from inside Secure Boot is on, the TPM
  answers, and the answer medium is ours to the last byte; a warm clone of it goes on with a TPM of its own, which knows what
  the first one knew. Windows on it is unverified. Where the host has no swtpm, setup's check for a TPM is bypassed.
`;

function contractTable(sources: StepSources): string {
  const rows = contractLines(sources)
    .filter(({ question }) => question.by !== "step")
    .map(
      ({ id, title, system, judged }) =>
        `| \`${id}\` | ${title} | ${system === "any" ? "every guest" : "Windows"} | ${inCell(judged)} |`,
    );
  return [
    "| Line | What holds | Asked of | By which it is known |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}

const inCell = (text: string): string => text.replaceAll(/[\\*_|<]/g, "\\$&");

function phaseTable(
  phase: WindowsPhase,
  steps: readonly WindowsStep[],
): string {
  const rows = steps
    .filter((step) => step.phase === phase)
    .map(
      ({ order, id, title, install, needs, optional }) =>
        `| ${String(order)} | \`${id}\` | ${title}${optional === true ? " (optional)" : ""} | ${install === "script" ? "script" : "answer file"} | ${needs.join(", ")} |`,
    );
  return [
    `### ${phaseTitles[phase]}`,
    "",
    "| | Step | What holds afterwards | Done by | After |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
  ].join("\n");
}
