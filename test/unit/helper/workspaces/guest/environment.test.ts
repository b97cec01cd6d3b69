import { execa } from "execa";
import { describe, expect, test } from "vitest";
import {
  environmentFile,
  loginEnvironment,
  ownEnvironment,
  parseEnvironment,
  parseProbe,
} from "../../../../../src/helper/workspaces/guest/environment.ts";
import { script } from "../../../../../src/helper/workspaces/guest/guestScripts.ts";

test("an environment is read whole: newlines and equal signs in values, no functions of a shell", () => {
  expect(
    parseEnvironment("A=1\0B=x=y\nz\0BASH_FUNC_f%%=() { :\n}\0E=\0nonsense\0"),
  ).toEqual({ A: "1", B: "x=y\nz", E: "" });
});

describe("the probe's output", () => {
  const mark = "0f8f-mark";
  test("what the shell's start-up files print lies between the marks and is left out", () => {
    const output = `A=1\0${mark}Welcome to the shell!\n${mark}A=2\0B=3\0${mark}bye`;
    expect(parseProbe(output, mark)).toEqual({
      base: { A: "1" },
      probed: { A: "2", B: "3" },
    });
  });

  test.each([
    ["no probe", "A=1\0"],
    ["a shell that hung", `A=1\0${mark}Password? `],
    ["a shell that was ended in the midst", `A=1\0${mark}x${mark}A=2\0`],
  ])("%s gives the guest's own environment only", (_, output) => {
    expect(parseProbe(output, mark)).toEqual({
      base: { A: "1" },
      probed: undefined,
    });
  });
});

test("the file says exactly what was meant, whatever the values hold", async () => {
  const odd = "a 'b' \"c\" $HOME `id` \\ # \n ü";
  const text = environmentFile(
    { HOME: "/home/x", PWD: "/nowhere", SSH_CLIENT: "1", ODD: odd },
    { ODD: "not this one", MORE: "$(touch /tmp/pwned)" },
    { HOME: null, LAST: "-n" },
  );
  const { stdout } = await execa("/bin/sh", ["-c", `${text}\nexec env -0`], {
    extendEnv: false,
    env: { HOME: "/elsewhere", PATH: process.env["PATH"] },
  });
  const { PATH, PWD, _, ...found } = parseEnvironment(stdout);
  expect([PATH, PWD, _]).not.toContain("/nowhere");
  expect(found).toEqual({
    ODD: odd,
    MORE: "$(touch /tmp/pwned)",
    LAST: "-n",
  });
});

test("/etc/environment gets what pam_env can read, and the rest is named", () => {
  expect(
    loginEnvironment({ A: "one two", B: "#", C: "x\ny", D: '"', E: "" }),
  ).toEqual({ lines: 'A="one two"\nE=""\n', leftOut: ["B", "C", "D"] });
});

test("a script of ours finds its programs whatever PATH is (F5)", async () => {
  const line = script("sed s/a/b/ | head -n 1", []);
  for (const PATH of ["/nowhere", "", "$PATH:/opt", "/usr/bin"]) {
    const { stdout } = await execa("/bin/sh", ["-c", line], {
      ...{ env: { PATH }, extendEnv: false, input: "a\n" },
    });
    expect(stdout).toBe("b");
  }
});

test("what an earlier up has set is none of the guest's own variables", () => {
  const marks = { begin: "# begin", end: "# end" };
  expect(
    ownEnvironment(
      { PATH: "/opt/x:/bin", HOME: "/home/me", TOOL: "old", PWD: "/" },
      'LANG="C.UTF-8"\n# begin\nPATH="/opt/x:/bin"\nTOOL="old"\n# end\nPATH=/own\n',
      marks,
    ),
  ).toEqual({ PATH: "/own", HOME: "/home/me", LANG: "C.UTF-8" });
  expect(ownEnvironment({ PATH: "/x" }, "", marks)["PATH"]).toMatch(
    /^\/usr\/local\/sbin:/,
  );
});
