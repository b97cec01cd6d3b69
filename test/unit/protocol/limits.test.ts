import { expect, test } from "vitest";
import { methods } from "../../../src/protocol/contract.ts";
import type { MethodName } from "../../../src/protocol/contract.ts";

const refusalOf = (method: MethodName, params: object): string[] =>
  methods[method].params
    .safeParse(params)
    .error?.issues.map(({ message }) => message) ?? [];

test.each<[object, string]>([
  [{ cpus: 0 }, "A VM has at least 1 processor."],
  [{ cpus: 257 }, "A VM has at most 256 processors."],
  [{ cpus: 1.5 }, "Processors are counted in whole numbers."],
  [{ memoryMiB: 12 }, "Memory must be at least 128 MiB."],
  [{ memoryMiB: 9_000_000 * 1024 }, "Memory can be at most 16 TiB."],
  [{ memoryMiB: Number.MAX_SAFE_INTEGER }, "Memory can be at most 16 TiB."],
  [{ diskGiB: 0.5 }, "A disk must be at least 1 GiB."],
  [{ diskGiB: 1e9 }, "A disk can be at most 64 TiB."],
])("%j is refused in words, whoever asks (F27, F46, F63)", (wish, words) => {
  expect(refusalOf("machines.create", wish)).toEqual([words]);
  expect(refusalOf("machines.set", { machine: "web", ...wish })).toEqual([
    words,
  ]);
  expect(refusalOf("workspaces.up", { folder: "/w", defaults: wish })).toEqual([
    words,
  ]);
});

test.each([
  { hostPort: -1, guestPort: 80 },
  { hostPort: 8080, guestPort: 0 },
  { hostPort: 65_536, guestPort: 80 },
  { hostPort: 8080, guestPort: 99_999 },
])("a forward of %j is refused in words (F46)", (forward) => {
  const forwards = [{ ...forward, protocol: "tcp" }];
  expect(refusalOf("machines.create", { forwards })).toEqual([
    "Ports go from 1 to 65535.",
  ]);
});
