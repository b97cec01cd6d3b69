import { expect, test, vi } from "vitest";
import {
  formOf,
  isMachineName,
  linesOf,
  paramsOf,
  parseCount,
  parseMemoryMiB,
} from "../../../../src/extension/machines/createForm.ts";
import { changedSize } from "../../../../src/extension/machines/changeCommands.ts";
import { machineMethods } from "../../../../src/protocol/machines.ts";

vi.mock("vscode", () => import("../../../fakes/vscode.ts"));

const settings = {
  home: "",
  qemuPath: "",
  files: "copy",
  gitIdentity: true,
  gitCredentials: false,
  offerToReopen: true,
  warmTemplates: "automatic",
  warmPool: 0,
  idleStopMinutes: 0,
  image: "debian-12",
  cpus: undefined,
  memoryMiB: undefined,
  diskGiB: undefined,
  dotfiles: undefined,
  openIn: "newWindow",
  manageSshConfig: true,
  agentForwarding: false,
  hostLoopback: false,
  checkpointBeforeRisk: false,
} as const;

test("one press sends defaults only and a request that the contract takes", () => {
  const params = paramsOf(formOf(settings));
  expect(params).toEqual({
    image: "debian-12",
    agentForwarding: false,
    hostLoopback: false,
    screen: false,
    start: false,
  });
  expect(() =>
    machineMethods["machines.create"].params.parse(params),
  ).not.toThrow();
});

test("what the user chose is sent", () => {
  const form = {
    ...formOf(settings),
    name: "web",
    cpus: 4,
    memoryMiB: 4096,
    diskGiB: 40,
  };
  expect(paramsOf(form)).toMatchObject({
    name: "web",
    cpus: 4,
    memoryMiB: 4096,
    diskGiB: 40,
  });
});

test("the form shows a value for everything", () => {
  const lines = linesOf({ ...formOf(settings), memoryMiB: 1536 });
  expect(lines.map(({ label, value }) => `${label}: ${value}`)).toEqual([
    "Image: debian-12",
    "Name: automatic",
    "CPUs: automatic",
    "Memory: 1.5 GB",
    "Disk: automatic",
    "SSH agent forwarding: off",
    "Reach this computer's loopback address: off",
    "Screen: off",
  ]);
});

test.each([
  ["2 GB", 2048],
  ["2g", 2048],
  ["1.5 GiB", 1536],
  ["1,5 GB", 1536],
  ["512 MB", 512],
  ["2048", 2048],
  ["127", undefined],
  ["", undefined],
  ["0.1 MB", undefined],
  ["two", undefined],
  ["-2 GB", undefined],
  ["2 TB", undefined],
])("memory %j is %j MiB", (text, memoryMiB) => {
  expect(parseMemoryMiB(text)).toBe(memoryMiB);
});

test.each([
  ["1", 1],
  [" 256 ", 256],
  ["0", undefined],
  ["257", undefined],
  ["1.5", undefined],
  ["", undefined],
  ["1e2", undefined],
])("a count of %j is %j", (text, count) => {
  expect(parseCount(text, 1, 256)).toBe(count);
});

test("names are host names in lower case", () => {
  const good = ["a", "web-1", "x".repeat(63)];
  const bad = [
    "",
    "Web",
    "-a",
    "a-",
    "a.b",
    "a b",
    "$(id)",
    "x".repeat(64),
    "ü",
  ];
  expect(good.filter(isMachineName)).toEqual(good);
  expect(bad.filter(isMachineName)).toEqual([]);
});

test("a resize sends only what changed", () => {
  const before = { cpus: 2, memoryMiB: 2048, diskGiB: 20 };
  expect(changedSize(before, before)).toEqual({});
  expect(changedSize(before, { ...before, cpus: 4 })).toEqual({ cpus: 4 });
});
