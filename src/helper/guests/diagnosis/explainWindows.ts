import {
  deadEnd,
  type Explanation,
  explainBy,
  type Facts,
  lostNetwork,
  network,
  qemuState,
  reached,
  type Rule,
} from "./explain.ts";

/** What the preparation of an image writes last (`resources/windows/steps/marker.ps1`). */
export const markerPath = String.raw`C:\ProgramData\Guesthouse\ready.json`;

/** The likely cause where the guest is Windows: its console says nothing after the firmware, its agent all the more. Pure. */
export const explainWindows = (facts: Facts): Explanation =>
  explainBy(rules, facts);

const login: Rule = (facts) => {
  if (facts.login === "hostKeyMismatch")
    return {
      cause: "hostKeyMismatch",
      hint: facts.agentAnswers
        ? "Windows' SSH server still answers with the image's host key: the guest agent did not renew it. Start the machine again; it is tried at each start."
        : "Windows' SSH server answers with the image's host key, and the guest agent, which renews it, does not answer: the service QEMU-GA is not installed or not running, or the driver of its channel (vioserial) is missing.",
    };
  if (facts.login !== "loginRefused") return undefined;
  return {
    cause: "loginRefused",
    hint: "Windows' SSH server runs, but refuses our key: the user doesn't exist, or its keys are in a file that others than SYSTEM and Administrators may write to (administrators_authorized_keys).",
  };
};

/** Windows with our drivers answers here long before anybody can log in. */
const noAgent: Rule = ({ agentAnswers, frames, addresses }) =>
  agentAnswers
    ? undefined
    : frames?.driver === false || (frames?.sent ?? 0) === 0
      ? {
          cause: "noKernel",
          hint: "Windows has not come up: its guest agent does not answer and it sent nothing to the network. It may still be starting, repairing itself or waiting for somebody; its screen shows it (Open Screen).",
        }
      : {
          cause: "noAgent",
          hint: `Windows uses its network card${addresses?.[0] === undefined ? "" : ` (${addresses.join(", ")})`}, but its guest agent does not answer, so it can't be made itself: check that QEMU-GA is installed and runs, and that the driver of its channel (vioserial) is there.`,
        };

const noSshd: Rule = ({ agentAnswers, prepared }) =>
  agentAnswers
    ? {
        cause: "noSshd",
        hint: `Windows is up and its guest agent answers, but no SSH server does: the service sshd is not installed or not running, or the firewall keeps port 22 closed.${prepared === false ? ` It was not prepared by Guesthouse, or not to the end: ${markerPath} is missing.` : ""}`,
      }
    : undefined;

const rules: readonly Rule[] = [
  qemuState,
  lostNetwork,
  reached,
  login,
  deadEnd,
  noAgent,
  network,
  noSshd,
];
