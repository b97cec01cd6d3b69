import { describe, expect, test } from "vitest";
import {
  explainSwtpmFailure,
  namesSwtpm,
  swtpmArguments,
} from "../../../../src/helper/qemu/swtpm.ts";

const args = swtpmArguments({
  stateFolder: "/home/machines/a/tpm",
  socketPath: "/home/run/a.tpm",
  pidFile: "/home/run/a.tpm.pid",
});

describe("the TPM's process", () => {
  test("B15: is known by its program and its socket, and by nothing else", () => {
    const line = ["/usr/bin/swtpm", ...args];
    expect(namesSwtpm(line, "/home/run/a.tpm")).toBe(true);
    expect(namesSwtpm(line, "/home/run/")).toBe(true);
    expect(namesSwtpm(line, "/home/run/b.tpm")).toBe(false);
    expect(namesSwtpm(["/usr/bin/vi", ...args], "/home/run/a.tpm")).toBe(false);
    expect(namesSwtpm(["swtpm", "/home/run/a.tpm"], "/home/run/a.tpm")).toBe(
      false,
    );
  });

  test("ends with its client, and keeps everything from other users", () => {
    expect(args).toContain("--terminate");
    expect(args).toContain("dir=/home/machines/a/tpm,mode=0600");
    expect(args).toContain("type=unixio,path=/home/run/a.tpm,mode=0600");
  });

  test.each([
    [
      "swtpm: Could not open UnixIO socket: No such file or directory\n",
      "Could not open UnixIO socket: No such file or directory.",
    ],
    ["", "exit code 1."],
  ])("its words %j are told", (output, told) => {
    expect(explainSwtpmFailure(output, "exit code 1").message).toBe(
      `The machine's TPM can't be started: ${told}`,
    );
  });
});
