import { describe, expect, test } from "vitest";
import {
  cmdLineLimit,
  decodedScript,
} from "../../../../../src/helper/guests/programs/powershell.ts";
import {
  powerShellSteps,
  powerShellText,
} from "../../../../../src/helper/workspaces/devcontainer/lifecycleCommands.ts";
import type { Devcontainer } from "../../../../../src/helper/workspaces/devcontainer/model.ts";
import { guestOps } from "../../../../../src/helper/workspaces/guest/systems.ts";
import { planWorkspace } from "../../../../../src/helper/workspaces/up/plan.ts";
import {
  windowsArguments,
  windowsScripts,
} from "../../../../../src/helper/workspaces/guest/windowsScripts.ts";
import { powerShellSyntax } from "../../images/windows/powerShellSyntax.ts";

const faultsOf = await powerShellSyntax();

describe("a file that names a Windows image", () => {
  const plan = (file: Devcontainer) =>
    planWorkspace(
      {
        folder: "/home/me/web",
        path: ".devcontainer.json",
        file,
        digest: "d1",
        warnings: [],
        localVariables: [],
      },
      {
        localEnv: {},
        images: ["debian-12", "windows-11"],
        guests: { "windows-11": { os: "windows", user: "dev", diskGiB: 64 } },
        wantedImage: undefined,
        defaultImage: "debian-12",
        usual: { cpus: 2, memoryMiB: 2048, diskGiB: 20 },
        host: { cpus: 8, memoryMiB: 16_384 },
      },
    );

  test("has its files below the user's, with variables that say so, and enough memory and disk", () => {
    const { placing, size, file } = plan({
      image: "windows-11",
      remoteEnv: { W: "${containerWorkspaceFolder}" },
      postCreateCommand: "echo ${containerWorkspaceFolderBasename}",
    });
    expect(placing).toEqual({
      source: "/home/me/web",
      target: String.raw`C:\Users\dev\web`,
      workspaceFolder: String.raw`C:\Users\dev\web`,
    });
    expect(file.remoteEnv).toEqual({ W: String.raw`C:\Users\dev\web` });
    expect(file.postCreateCommand).toBe("echo web");
    expect(size).toMatchObject({ memoryMiB: 4096, diskGiB: 64 });
  });

  test("may name a folder of a drive; one that was written for Linux is not meant, the system's own is refused", () => {
    const target = (workspaceFolder: string) =>
      plan({ image: "windows-11", workspaceFolder }).placing.target;
    expect(target("d:/src/web/")).toBe(String.raw`d:\src\web`);
    expect(target("/workspaces/other")).toBe(String.raw`C:\Users\dev\web`);
    for (const folder of ["C:/", String.raw`c:\Windows\Temp`])
      expect(() => target(folder)).toThrow(/can't be/);
  });

  test("one of Linux stays as it was", () => {
    const { placing, size } = plan({ image: "debian-12" });
    expect(placing.target).toBe("/workspaces/web");
    expect(size).toMatchObject({ memoryMiB: 2048, diskGiB: 20 });
  });
});

describe("commands in a guest with Windows", () => {
  test.each(Object.entries(windowsScripts))("%s is PowerShell", (_, script) => {
    expect(faultsOf(script)).toEqual([]);
  });

  test("a string is PowerShell's, a list a program's", () => {
    const steps = powerShellSteps({
      a: "npm ci; exit 3",
      b: ["git", "x y"],
      c: "",
    });
    expect(steps.map(({ name, argv }) => [name, powerShellText(argv)])).toEqual(
      [
        ["a", "npm ci; exit 3"],
        ["b", undefined],
      ],
    );
  });

  test("cmd.exe takes a command whatever is in it, and one that is too long is refused", () => {
    const { remoteCommand } = guestOps.windows;
    const command = remoteCommand(String.raw`C:\Users\dev\o'web & calc`, [
      "git",
      'a "b" %PATH%',
    ]);
    expect(command).toMatch(/^[A-Za-z0-9+/=. -]+$/);
    expect(command.length).toBeLessThan(cmdLineLimit);
    const script = decodedScript(command.split(" ").at(-1) ?? "");
    expect(faultsOf(script)).toEqual([]);
    expect(script).toContain(String.raw`'C:\Users\dev\o''web & calc'`);
    expect(() => remoteCommand("C:\\x", ["git", "y".repeat(3000)])).toThrow(
      /too long for cmd\.exe/,
    );
  });

  test.each([
    [["a", "b c", ""], 'a "b c" ""'],
    [['say "hi"'], String.raw`"say \"hi\""`],
    [[String.raw`C:\with space\ `.trimEnd()], String.raw`"C:\with space\\"`],
    [[String.raw`\\server\share`], String.raw`\\server\share`],
    [[String.raw`a\"b`], String.raw`"a\\\"b"`],
  ])(
    "arguments %j are one line that Windows takes apart again",
    (args, line) => {
      expect(windowsArguments(args)).toBe(line);
      expect(apart(line)).toEqual(args);
    },
  );
});

/** CommandLineToArgvW's rules, for what is no program's name. */
function apart(line: string): string[] {
  const args: string[] = [];
  let arg: string | undefined;
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const backslashes = /^\\*/.exec(line.slice(i))?.[0].length ?? 0;
    if (backslashes > 0 && line[i + backslashes] === '"') {
      arg = (arg ?? "") + "\\".repeat(Math.floor(backslashes / 2));
      i += backslashes;
      if (backslashes % 2 === 1) arg += '"';
      else quoted = !quoted;
    } else if (line[i] === '"') {
      arg ??= "";
      quoted = !quoted;
    } else if (line[i] === " " && !quoted) {
      if (arg !== undefined) args.push(arg);
      arg = undefined;
    } else arg = (arg ?? "") + (line[i] ?? "");
  }
  if (arg !== undefined) args.push(arg);
  return args;
}
