import { expect, test } from "vitest";
import { transcriptPage } from "../../../../../src/helper/cli/machines/selfTestPage.ts";
import type { Transcript } from "../../../../../src/protocol/selfTest.ts";

const transcript: Transcript = {
  format: 1,
  startedAt: "2026-01-02T03:04:05.000Z",
  tookMs: 61_500,
  holds: false,
  guesthouse: "1.2.3",
  host: {
    system: "linux x64",
    qemu: "7.2.22",
    accelerator: "kvm",
    network: "user",
  },
  machine: {
    image: "win",
    imageDigest: "sha256:aa",
    cpus: 2,
    memoryMiB: 4096,
    generation: 0,
    way: "cold",
  },
  guest: { id: "mswindows", name: "Windows_11 <Pro>" },
  lines: [
    {
      id: "ssh.shell",
      title: "The shell",
      system: "windows",
      asked: "echo %OS%",
      judged: "It prints *it*.",
      holds: false,
      reason: "a | b",
      tookMs: 40,
      output: "one\n```\ntwo\u001b[2J",
    },
  ],
};

test("a transcript's page holds everything, and nothing of the guest's breaks it", () => {
  const page = transcriptPage(transcript);
  expect(page).toContain("**0 of 1 lines hold.**");
  expect(page).toContain("in 61.5 s");
  expect(page).toContain("Windows\\_11 \\<Pro\\>, mswindows");
  expect(page).toContain("| ✗ | `ssh.shell` | The shell | 0.0 s | a \\| b |");
  expect(page).toContain("It prints \\*it\\*.");
  expect(page).toContain("````\none\n```\ntwo\\u001b[2J\n````");
});
