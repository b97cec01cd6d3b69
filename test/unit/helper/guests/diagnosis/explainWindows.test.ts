import { expect, test } from "vitest";
import type { Facts } from "../../../../../src/helper/guests/diagnosis/explain.ts";
import { explainWindows } from "../../../../../src/helper/guests/diagnosis/explainWindows.ts";

const booting: Facts = {
  stage: "firmware",
  waitedMs: 300_000,
  runState: "running",
  consoleLines: ["BdsDxe: starting Boot0001"],
  consoleQuietMs: 200_000,
  frames: { driver: true, sent: 40, received: 50 },
  agentAnswers: false,
  addresses: undefined,
  login: "noBanner",
};

// Its console says nothing after the firmware's last word: that is no sign of a missing kernel, as it is with Linux.
test.each<[string, Partial<Facts>, string, RegExp]>([
  [
    "nothing moves",
    { frames: { driver: true, sent: 0, received: 9 } },
    "noKernel",
    /Open Screen/,
  ],
  [
    "no card is driven",
    { frames: { driver: false, sent: 0, received: 0 } },
    "noKernel",
    /screen/,
  ],
  ["only the agent is silent", {}, "noAgent", /QEMU-GA/],
  [
    "the agent answers and sshd does not",
    { agentAnswers: true, addresses: ["10.0.2.15/24"] },
    "noSshd",
    /firewall/,
  ],
  [
    "its preparation was broken off",
    { agentAnswers: true, addresses: ["10.0.2.15/24"], prepared: false },
    "noSshd",
    /ready\.json is missing/,
  ],
  ["no address", { agentAnswers: true, addresses: [] }, "noLease", /DHCP/],
  [
    "the image's host key, agent silent",
    { login: "hostKeyMismatch" },
    "hostKeyMismatch",
    /vioserial/,
  ],
  [
    "the image's host key, agent there",
    { login: "hostKeyMismatch", agentAnswers: true },
    "hostKeyMismatch",
    /Start the machine again/,
  ],
  [
    "our key is refused",
    { login: "loginRefused", agentAnswers: true },
    "loginRefused",
    /administrators_authorized_keys/,
  ],
  [
    "all is well",
    { login: "ok", agentAnswers: true },
    "healthy",
    /nothing is wrong/,
  ],
  [
    "the disk holds nothing",
    { consoleLines: ["BdsDxe: No bootable option or device was found."] },
    "noKernel",
    /no boot loader/,
  ],
])("B8: Windows, %s", (_, change, cause, hint) => {
  const found = explainWindows({ ...booting, ...change });
  expect(found.cause).toBe(cause);
  expect(found.hint).toMatch(hint);
});
