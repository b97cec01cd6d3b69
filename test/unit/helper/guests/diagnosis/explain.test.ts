import { describe, expect, test } from "vitest";
import {
  explain,
  type Facts,
} from "../../../../../src/helper/guests/diagnosis/explain.ts";

const facts: Facts = {
  stage: "cloud-init",
  waitedMs: 300_000,
  runState: "running",
  consoleLines: ["[    1.0] Linux", "debian login: "],
  consoleQuietMs: 100_000,
  frames: { driver: true, sent: 40, received: 30 },
  agentAnswers: true,
  addresses: ["10.0.2.15/24"],
  login: "broken",
};

const cloudInitError = {
  status: "error",
  errors: ["init: no network"],
  logTail: [],
};

describe("B8: the cause of", () => {
  test.each<[string, string, Partial<Facts>]>([
    ["QEMU gone", "exited", { runState: "not answering" }],
    [
      "a QEMU that stopped on an error",
      "exited",
      { runState: "internal-error" },
    ],
    ["a paused machine", "paused", { runState: "paused" }],
    ["a healthy guest", "healthy", { login: "ok" }],
    ["a passt that died", "networkGone", { networkGone: true }],
    [
      "a usable guest whose runcmd failed",
      "cloudInitFailed",
      { login: "ok", cloudInit: cloudInitError },
    ],
    ["a foreign host key", "hostKeyMismatch", { login: "hostKeyMismatch" }],
    ["a missing user", "loginRefused", { login: "loginRefused" }],
    [
      "a missing user because of cloud-init",
      "cloudInitFailed",
      { login: "loginRefused", cloudInit: cloudInitError },
    ],
    [
      "no disk driver",
      "noRoot",
      {
        stage: "kernel",
        agentAnswers: false,
        consoleLines: [
          "[ 3.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
        ],
      },
    ],
    [
      "no disk driver in an initramfs",
      "noRoot",
      {
        stage: "kernel",
        agentAnswers: false,
        consoleLines: ["ALERT!  LABEL=x does not exist.  Dropping to a shell!"],
      },
    ],
    [
      "a panic",
      "panic",
      {
        stage: "kernel",
        agentAnswers: false,
        consoleLines: ["Kernel panic - not syncing: Attempted to kill init!"],
      },
    ],
    [
      "a bad fstab",
      "emergency",
      {
        stage: "init",
        agentAnswers: false,
        consoleLines: ["You are in emergency mode."],
      },
    ],
    [
      "an empty disk",
      "noKernel",
      {
        stage: "firmware",
        agentAnswers: false,
        consoleLines: ["No bootable device."],
      },
    ],
    [
      "a silent console",
      "noKernel",
      {
        stage: "firmware",
        agentAnswers: false,
        consoleLines: ["── starting ──"],
        frames: { driver: false, sent: 0, received: 0 },
      },
    ],
    [
      "a unit that waits for a device",
      "waitingUnit",
      {
        stage: "init",
        agentAnswers: false,
        consoleLines: [
          "A start job is running for dev-vdz.device (12s / 1min 30s)",
        ],
      },
    ],
    [
      "a kernel without a network driver",
      "noTraffic",
      { frames: { driver: false, sent: 0, received: 0 }, addresses: [] },
    ],
    [
      "a removed network unit",
      "noTraffic",
      { frames: { driver: true, sent: 0, received: 0 }, addresses: [] },
    ],
    [
      "a removed network unit, seen without counters",
      "noTraffic",
      { frames: undefined, addresses: [] },
    ],
    [
      "a removed network unit in a guest without an agent",
      "noTraffic",
      {
        frames: { driver: true, sent: 0, received: 0 },
        addresses: undefined,
        agentAnswers: false,
      },
    ],
    [
      "DHCP without an answer",
      "noLease",
      { frames: { driver: true, sent: 9, received: 0 }, addresses: [] },
    ],
    [
      "traffic, but no address",
      "noLease",
      { frames: { driver: true, sent: 9, received: 4 }, addresses: [] },
    ],
    ["a missing sshd", "noSshd", {}],
    [
      "a missing sshd because of cloud-init",
      "cloudInitFailed",
      { cloudInit: cloudInitError },
    ],
    [
      "a guest that is only slow",
      "slow",
      {
        stage: "kernel",
        agentAnswers: false,
        consoleLines: ["[ 9.0] x"],
        consoleQuietMs: 500,
        frames: { driver: false, sent: 0, received: 0 },
        addresses: undefined,
      },
    ],
  ])("%s is %s", (_, cause, change) => {
    const found = explain({ ...facts, ...change });
    expect(found.cause).toBe(cause);
    expect(found.hint).toMatch(/^.{20,}[.!]$/s);
  });
});

test("B28: the hint names the device that the boot waits for", () => {
  const line =
    "[  *** ] A start job is running for dev-vdz.device (12s / 1min 30s)";
  expect(
    explain({
      ...facts,
      stage: "init",
      agentAnswers: false,
      consoleLines: [line],
    }).hint,
  ).toContain("dev-vdz.device");
});

test("B10: a failed step of cloud-init is named", () => {
  expect(explain({ ...facts, cloudInit: cloudInitError }).hint).toContain(
    "no network",
  );
});
