import { type GuesthouseError, failed } from "../../protocol/failure.ts";

interface Explanation {
  readonly pattern: RegExp;
  readonly explain: (match: RegExpExecArray) => GuesthouseError;
}

/** QEMU's own words, as versions 7.2 to 10.0 print them. */
const explanations: readonly Explanation[] = [
  {
    pattern: /Could not set up host forwarding rule '(?:tcp|udp):[^:']*:(\d+)-/,
    explain: (match) =>
      failed(
        "machines.portTaken",
        `Port ${match[1] ?? ""} of this host is taken by another program, so it can't be forwarded to the machine.`,
        {
          remedy: "Start the machine again with another port.",
          actions: ["retry"],
        },
      ),
  },
  {
    pattern: /Failed to get (?:shared )?"(?:write|consistent read)" lock/,
    explain: () =>
      failed(
        "machines.startFailed",
        "Another process uses the machine's disk.",
        {
          remedy:
            "End the other QEMU or qemu-img that holds the disk, then start the machine again.",
          actions: ["retry", "showLog"],
        },
      ),
  },
  {
    pattern: /cannot set up guest memory|Cannot allocate memory/,
    explain: () =>
      failed(
        "machines.startFailed",
        "The host has too little free memory for this machine.",
        {
          remedy: "Stop other machines or give this one less memory.",
          actions: ["retry"],
        },
      ),
  },
  {
    pattern: /Could not access KVM kernel module: (.+)/,
    explain: (match) =>
      failed("machines.startFailed", `KVM can't be used: ${match[1] ?? ""}.`, {
        remedy:
          "Let the doctor try the accelerators again; it falls back to emulation.",
        actions: ["doctor"],
      }),
  },
  {
    // Of its pid file QEMU does not say why it could not be written.
    pattern: /No space left on device|Failed to write pid file/,
    explain: () =>
      failed(
        "host.diskFull",
        "The disk is full, so QEMU could not write its files.",
        {
          remedy:
            "Free some space or point GUESTHOUSE_HOME at a larger disk, then try again.",
        },
      ),
  },
  {
    pattern:
      /image is corrupt|not in qcow2 format|Could not open backing file|Image is not in/i,
    explain: (match) =>
      failed(
        "images.broken",
        `The machine's disk or the image below it is damaged: ${match.input.trim()}`,
        { remedy: "Check the image, or delete the machine and make it anew." },
      ),
  },
  {
    pattern:
      /network backend 'user' is not compiled|'user' is not a valid netdev/i,
    explain: () =>
      failed(
        "host.notSupported",
        "This QEMU was built without user-mode networking.",
        {
          remedy:
            "Install the QEMU of your distribution, or one that was built with libslirp.",
          actions: ["doctor"],
        },
      ),
  },
];

/**
 * Says in plain words why QEMU ended before it served its monitor. Pure.
 * `exit` says how it ended, e.g. `exit code 1` or `signal SIGKILL`.
 */
export function explainStartFailure(
  stderr: string,
  exit: string,
): GuesthouseError {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/\bwarning:/.test(line));
  for (const { pattern, explain } of explanations) {
    for (const line of lines) {
      const match = pattern.exec(line);
      if (match !== null) return explain(match);
    }
  }
  const told = lines.slice(-3).join(" ");
  return failed(
    "machines.startFailed",
    told === ""
      ? `QEMU ended at once (${exit}) without a word.`
      : `QEMU ended at once (${exit}): ${told}`,
    {
      remedy: "Run the doctor; it checks QEMU and what it needs.",
      actions: ["doctor", "showLog"],
    },
  );
}
