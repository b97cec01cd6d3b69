import { expect, test } from "vitest";
import { decide } from "../../../../src/helper/networks/backend.ts";
import { networkFor } from "../../../../src/helper/networks/connect.ts";
import {
  namesPasst,
  passtCommand,
  passtForwards,
  type PasstMode,
} from "../../../../src/helper/networks/passt.ts";
import { explainPasstFailure } from "../../../../src/helper/networks/passtProcess.ts";
import type { PasstTrial } from "../../../../src/helper/networks/passtTrial.ts";

const programs = { passt: "/usr/bin/passt", pasta: "/usr/bin/pasta" };
const forwards = [
  { hostPort: 40022, guestPort: 22 },
  { hostPort: 48080, guestPort: 8080 },
];
const command = (mode: PasstMode, isRoot: boolean) =>
  passtCommand(programs, mode, {
    guestAddress: "10.0.2.32",
    forwards,
    socketPath: "/run/attic.net",
    pidFile: "/run/attic.net.pid",
    isRoot,
  });

test.each([
  ["bare", false],
  ["bare", true],
  ["confined", false],
  ["confined", true],
] as const)(
  "the arguments of a %s passt are as agreed (as root: %s)",
  async (mode, isRoot) => {
    const { binary, args } = command(mode, isRoot);
    await expect(
      `${binary}\n${args.join("\n").replaceAll(/\n(?!-)(?!\/)/g, " ")}\n`,
    ).toMatchFileSnapshot(`passt/${mode}${isRoot ? "-root" : ""}.txt`);
  },
);

test("every forwarded port listens on loopback only, nothing else is forwarded, and no address leads to the host's loopback", () => {
  for (const mode of ["bare", "confined"] as const) {
    const { args } = command(mode, false);
    const ports = args.filter((_, i) => args[i - 1] === "--tcp-ports");
    for (const port of ports)
      expect(port).toMatch(/^127\.0\.0\.1\/\d+(:\d+)?$/);
    const programsRun = mode === "bare" ? 1 : 2;
    for (const option of ["--no-map-gw", "--ipv4-only"])
      expect(args.filter((arg) => arg === option)).toHaveLength(programsRun);
    expect(args.join(" ").match(/--udp-ports none/g)).toHaveLength(programsRun);
  }
});

test("a running passt is recognised by its socket, and its ports are read back (B15)", () => {
  for (const mode of ["bare", "confined"] as const) {
    const { binary, args } = command(mode, false);
    const line = [binary, ...args];
    expect(namesPasst(line, "/run/attic.net")).toBe(true);
    expect(namesPasst(line, "/run/cellar.net")).toBe(false);
    expect(passtForwards(line)).toEqual(forwards);
  }
  expect(namesPasst(["vim", "/run/attic.net"], "/run/attic.net")).toBe(false);
});

const trial = (change: Partial<PasstTrial>): PasstTrial => ({
  mode: "bare",
  works: true,
  closed: true,
  serversSpeakFirst: true,
  detail: "",
  tookMs: 450,
  ...change,
});

test("a passt that keeps guests out is taken, alone or in a namespace; else the user network with the reason", () => {
  expect(decide(programs, [trial({})])).toMatchObject({
    backend: "passt",
    mode: "bare",
  });
  const open = trial({ closed: false });
  const confined = trial({ mode: "confined", serversSpeakFirst: false });
  expect(decide(programs, [open, confined], true)).toMatchObject({
    backend: "passt",
    mode: "confined",
    serversSpeakFirst: false,
  });
  expect(decide(programs, [open])).toMatchObject({
    backend: "user",
    reason: expect.stringContaining("pasta") as string,
  });
  const noTun = "passt can't be started: Failed to open tun socket.";
  expect(
    decide(programs, [open, trial({ works: false, detail: noTun })]),
  ).toMatchObject({
    backend: "user",
    reason: expect.stringContaining(noTun) as string,
  });
  const offline = "passt can't be started: No external routable interface.";
  expect(decide(programs, [trial({ works: false, detail: offline })])).toEqual({
    backend: "user",
    reason: offline,
  });
});

test("a machine gets the user network where it needs it, and the reason says so", () => {
  const silent = [trial({ serversSpeakFirst: false })];
  expect(decide(programs, silent)).toMatchObject({ backend: "user" });
  const passt = decide(programs, silent, true);
  const needs = {
    hostLoopback: false,
    forwards: false,
    savedOnUserNetwork: false,
  };
  expect(networkFor(passt, needs)).toBe(passt);
  for (const [need, reason] of [
    ["hostLoopback", /allowed/],
    ["forwards", /says first/],
    ["savedOnUserNetwork", /saved state/],
  ] as const) {
    const choice = networkFor(passt, { ...needs, [need]: true });
    expect(choice.backend).toBe("user");
    expect(choice.reason).toMatch(reason);
  }
  const newer = decide(programs, [trial({})]);
  expect(networkFor(newer, { ...needs, forwards: true })).toBe(newer);
});

test.each([
  [
    "Failed to send 64 bytes to syslog\nFailed to bind any port for '-t 127.0.0.1/45022:22', exiting\n",
    "machines.portTaken",
    /45022/,
  ],
  [
    "Failed to bind port 45022 (Address already in use) for option '-t 127.0.0.1/45022:22', exiting\n",
    "machines.portTaken",
    /45022/,
  ],
  [
    "No external routable interface for IPv4\nExternal interface not usable\n",
    "machines.startFailed",
    /No external routable interface/,
  ],
  ["", "machines.startFailed", /exit code 1/],
])("passt's words %j become %s", (words, code, message) => {
  const { failure } = explainPasstFailure(words, "exit code 1");
  expect(failure.code).toBe(code);
  expect(failure.message).toMatch(message);
});
