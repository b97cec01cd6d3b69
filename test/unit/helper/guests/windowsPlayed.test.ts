import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { windowsIdentityScripts } from "../../../../src/helper/guests/handoff/windowsIdentity.ts";
import type { Program } from "../../../../src/helper/guests/programs/program.ts";
import {
  windowsProgram,
  type ScriptValues,
} from "../../../../src/helper/guests/programs/powershellProgram.ts";
import { windowsPrograms } from "../../../../src/helper/guests/programs/windows.ts";
import { windowsSeedFiles } from "../../../../src/helper/guests/seed/windowsSeed.ts";
import { settleScript } from "../../../../src/helper/machines/warm/windowsTemplate.ts";
import { windowsScripts } from "../../../../src/helper/workspaces/guest/windowsScripts.ts";
import {
  addAccount,
  hasFile,
  isGuarded,
  letsIn,
  putFile,
  readText,
  removeGuest,
  type WindowsGuest,
  windowsGuest,
} from "../../../fakes/windows/guest.ts";
import { play, type Played } from "../../../fakes/windows/play.ts";

/* What our scripts do to a guest with Windows, on the stand-in that plays effects; and that the stand-in can tell effects apart. */

let windows: WindowsGuest;
beforeEach(() => {
  windows = windowsGuest();
});
afterEach(() => removeGuest(windows));

const runProgram = ({ argv, input }: Program): Played =>
  play(windows, argv.slice(1), input);
const run = (script: string, values: ScriptValues = {}): Played =>
  runProgram(windowsProgram(script, values));
/** What is printed by a program that must go well. */
const printed = (program: Program): string => {
  const { code, stdout, stderr } = runProgram(program);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
};

const ssh = String.raw`C:\ProgramData\ssh`;
const key = `${ssh}\\ssh_host_ed25519_key`;
const hostKey = { private: "OURS\nKEY\n", public: "ssh-ed25519 OURS" };

describe("programs in place of the agent's commands", () => {
  test("files come and go byte for byte, and one that isn't there is told by name", () => {
    const path = String.raw`C:\it's a file`;
    const content = Buffer.from([0, 255, 13, 10, 39]);
    printed(windowsPrograms.writeFile(path, content));
    expect(printed(windowsPrograms.readFile(path)).trim()).toBe(
      content.toString("base64"),
    );
    const { code, stderr } = runProgram(windowsPrograms.readFile("C:\\none"));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining("C:\\none") as string,
    });
  });

  test("the clock is set to the very moment", () => {
    const at = new Date("2026-03-01T12:00:00.400Z");
    expect(printed(windowsPrograms.setTime(at))).toBe("");
    expect(windows.clock).toEqual(at);
  });

  test("cards and users come in the shape of the agent's own answers", () => {
    windows.cards.push({
      ...{ name: "Ethernet", index: 3, macAddress: "52-54-00-AB-34-56" },
      addresses: [["10.0.2.15", 24]],
      ...{ received: 7, sent: 8 },
    });
    windows.desktops = [{ user: "ann", domain: "GUEST" }];
    const { interfaces, users } = windowsPrograms;
    expect(interfaces.read(printed(interfaces.program))).toEqual([
      {
        ...{ name: "Ethernet", macAddress: "52:54:00:ab:34:56" },
        addresses: ["10.0.2.15/24"],
        ...{ receivedBytes: 7, sentBytes: 8 },
      },
    ]);
    expect(users.read(printed(users.program))).toEqual([
      { user: "ann", domain: "GUEST" },
    ]);
  });

  test.each([
    ["an administrator", true, false],
    ["somebody else", false, false],
    ["whoever is listed in no group that can be read", true, true],
  ])(
    "sshd lets %s in by these keys alone",
    (_, isAdministrator, unreadable) => {
      addAccount(windows, "dev", isAdministrator);
      windows.groupsAreUnreadable = unreadable;
      printed(windowsPrograms.authorizeKeys("dev", ["ssh-ed25519 OLD"]));
      printed(windowsPrograms.authorizeKeys("dev", ["key it's", "key ü"]));
      expect(letsIn(windows, "dev")).toEqual(["key it's", "key ü"]);
      expect(runProgram(windowsPrograms.authorizeKeys("eve", [])).code).toBe(1);
    },
  );
});

test("the seed of a generalized Windows lets its user in by the keys as they are, in either file that sshd may read", () => {
  addAccount(windows, "Ada", true);
  const config = `${ssh}\\sshd_config`;
  putFile(
    windows,
    config,
    "Port 22\r\n  AuthorizedKeysFile __PROGRAMDATA__/ssh/administrators_authorized_keys\r\n",
  );
  const hostile = "ssh-ed25519 AAAA it's ’me’; Remove-Item C:\\ #";
  const files = windowsSeedFiles({
    ...{ instanceId: "guesthouse-7", name: "web", user: "Ada" },
    authorizedKeys: [hostile],
  });
  putFile(windows, "C:\\user-data.ps1", files["user-data"]);
  const { code, stderr } = play(windows, ["-File", "C:\\user-data.ps1"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(letsIn(windows, "Ada")).toEqual([hostile]);
  expect(
    readText(windows, config)
      .split("\r\n")
      .map((line) => line.trim()),
  ).toEqual([
    "Port 22",
    "AuthorizedKeysFile __PROGRAMDATA__/ssh/administrators_authorized_keys .ssh/authorized_keys",
    "",
  ]);
  expect(windows.services.get("sshd")).toMatchObject({
    running: true,
    starts: 2,
  });
});

describe("a clone of a Windows image", () => {
  const { takeOn } = windowsIdentityScripts;
  const answer = ({ stdout }: Played): unknown => JSON.parse(stdout) as unknown;

  test("takes on its host key alone and a certificate of its own, and at the next boot nothing is touched", () => {
    expect(answer(run(takeOn, { hostKey }))).toEqual({
      failed: [],
      sshd: true,
    });
    expect(windows.shownHostKey).toBe(hostKey.public);
    expect(readText(windows, key)).toBe(hostKey.private);
    expect(isGuarded(windows, key)).toBe(true);
    expect(hasFile(windows, `${ssh}\\ssh_host_rsa_key`)).toBe(false);
    expect([...windows.certificates.values()]).toEqual([["its own"]]);
    const starts = (): number[] =>
      [...windows.services.values()].map((service) => service.starts);
    const before = starts();
    expect(answer(run(takeOn, { hostKey }))).toEqual({
      failed: [],
      sshd: true,
    });
    expect(answer(run(takeOn))).toEqual({ failed: [], sshd: true });
    expect(starts()).toEqual(before);
  });

  test("says what it couldn't take on, and that sshd doesn't answer", () => {
    windows.services.set("sshd", {
      ...{ running: true, starts: 1, broken: "no way" },
    });
    expect(answer(run(takeOn, { hostKey }))).toEqual({
      failed: [{ what: "hostKey", why: "no way" }],
      sshd: false,
    });
    expect([...windows.certificates.values()]).toEqual([["its own"]]);
    expect(windows.sleptMs).toBeGreaterThanOrEqual(10_000);
  });

  test("has its new name from its next start on", () => {
    expect(run(windowsIdentityScripts.rename, { name: "web-1" }).code).toBe(0);
    expect(windows).toMatchObject({
      ...{ computerName: "IMAGE", nextComputerName: "web-1" },
    });
  });

  test("comes from a template that waited until it was quiet three times in a row, and wrote its disk", () => {
    windows.load = [80, 5, 5, 40, 5];
    expect(run(settleScript).code).toBe(0);
    expect(windows).toMatchObject({ flushed: ["C"], sleptMs: 7 * 5000 });
  });
});

describe("a workspace", () => {
  test("a boot is known by its counter, by its time where there is none; what was done is remembered", () => {
    const { prepare, remember } = windowsScripts;
    const target = String.raw`C:\Users\dev\web`;
    const prepared = (): unknown =>
      JSON.parse(run(prepare, { target }).stdout) as unknown;
    expect(prepared()).toEqual({ bootId: "202603011200", marks: {} });
    expect(hasFile(windows, target)).toBe(true);
    run(remember, { name: "copy", value: "d1" });
    windows.registry.set(
      String.raw`HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`,
      { BootId: 7 },
    );
    expect(prepared()).toEqual({ bootId: "boot-7", marks: { copy: "d1" } });
  });

  test.each([[[]], [["A"]], [["A", "B"]]])(
    "a command runs with %j of its file and with secrets",
    (names) => {
      const { environment, step, prepare } = windowsScripts;
      const folder = String.raw`C:\Users\dev`;
      run(prepare, { target: `${folder}\\web` });
      const variables = names.map((name) => ({ name, value: `of ${name}` }));
      run(environment, { text: JSON.stringify(variables) });
      const { code, stdout } = run(step, {
        folder,
        command: '"$env:A $env:B $env:TOKEN"',
        secrets: [{ name: "TOKEN", value: "secret" }],
      });
      expect(code).toBe(0);
      const said = ["A", "B"].map((name) =>
        names.includes(name) ? `of ${name}` : "",
      );
      expect(stdout.trim()).toBe([...said, "secret"].join(" ").trim());
    },
  );

  test("logins lose the variables that its file names no more", () => {
    const { logins } = windowsScripts;
    const variables = (names: readonly string[]) => ({
      variables: names.map((name) => ({ name, value: `of ${name}` })),
    });
    windows.userVariables.set("OTHER", "stays");
    run(logins, variables(["A", "B"]));
    const { stdout } = run(logins, variables(["B"]));
    expect([...windows.userVariables]).toEqual([
      ["OTHER", "stays"],
      ["B", "of B"],
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      B: "of B",
      Path: "C:\\Windows",
    });
  });
});

/** The same as `takeOn` does, in other words. */
const inOtherWords = String.raw`
function Guard($File) {
  $rights = New-Object Security.AccessControl.FileSecurity
  $rights.SetAccessRuleProtection($true, $false)
  'S-1-5-32-544', 'S-1-5-18' | ForEach-Object {
    $sid = [Security.Principal.SecurityIdentifier]$_
    $rights.AddAccessRule((New-Object Security.AccessControl.FileSystemAccessRule($sid, 'FullControl', 'Allow')))
  }
  $rights.SetOwner([Security.Principal.SecurityIdentifier]'S-1-5-18')
  Set-Acl $File -AclObject $rights
}
$place = "$env:ProgramData\ssh"
Stop-Service sshd
Get-ChildItem $place -Filter 'ssh_host_*' | Remove-Item
foreach ($end in '', '.pub') {
  $file = "$place\ssh_host_ed25519_key$end"
  New-Item $file -ItemType File | Out-Null
  Guard $file
  $half = if ($end -eq '') { $Values.hostKey.private } else { $Values.hostKey.public }
  [IO.File]::WriteAllText($file, $half)
}
Start-Service sshd
Get-ChildItem 'Cert:\LocalMachine\Remote Desktop' | Remove-Item
Restart-Service SessionEnv
Write-Output '{"failed":[],"sshd":true}'`;

describe("the stand-in", () => {
  const { takeOn } = windowsIdentityScripts;
  /** Whether the guest is a clone of its own afterwards. */
  const isItself = (script: string): boolean => {
    const { code, stdout } = run(script, { hostKey });
    return (
      code === 0 &&
      JSON.stringify(JSON.parse(stdout)) === '{"failed":[],"sshd":true}' &&
      windows.shownHostKey === hostKey.public &&
      readText(windows, key) === hostKey.private &&
      !hasFile(windows, `${ssh}\\ssh_host_rsa_key`) &&
      [...windows.certificates.values()].flat().join() === "its own"
    );
  };

  test.each([
    ["as it is", takeOn],
    ["in other words", inOtherWords],
    ["with other names", takeOn.replaceAll("$ours", "$mine")],
  ])("a script with this effect does, %s", (_, script) => {
    expect(isItself(script)).toBe(true);
  });

  test.each([
    ["sshd isn't started again", "    Restart-Service -Name sshd -Force\n"],
    ["anybody may write the key", '  Protect-Path "$Path.new"\n'],
    ["the key stays where it was written first", /\n {2}Move-Item [^\n]+/],
    ["the image's other keys stay", " | Remove-Item -Force\n    Restart"],
    ["Remote Desktop keeps its certificate", /\n {4}Get-ChildItem -Path[^\n]+/],
  ])("one with nearly the same text doesn't: %s", (_, taken) => {
    const other = takeOn.replace(
      taken,
      String(taken).endsWith("Restart") ? "\n    Restart" : "\n",
    );
    expect(other).not.toBe(takeOn);
    expect(isItself(other)).toBe(false);
  });

  test.each([
    [
      "a cmdlet",
      "Get-Thing",
      /knows no cmdlet, function or program “get-thing”/,
    ],
    ["a parameter", "Restart-Service sshd -WhatIf", /no parameter -WhatIf/],
    ["a type", "[IO.Path]::GetTempPath()", /knows no \[io.path\]::GetTempPath/],
    ["a property", "(Get-Service sshd).CanStop", /knows no “CanStop”/],
    [
      "a statement",
      "switch (1) { 1 { 'one' } }",
      /reads no statement “switch”/,
    ],
  ])(
    "%s that it doesn't know ends the test, whatever the script catches",
    (_, script, why) => {
      expect(() => run(`try { ${script} } catch { 'caught' }`)).toThrow(why);
    },
  );

  // Where a stand-in that is kinder than PowerShell would let a wrong script pass (Windows PowerShell 5.1).
  test.each([
    ["texts are the same in either case", "'A' -eq 'a'", "True"],
    [
      "one piece is no list any more",
      "$x = if ($true) { @('ab') }; $x[0]; $x.Count",
      "a 1",
    ],
    [
      "a list that is read from JSON is one piece",
      "@('[1,2]' | ConvertFrom-Json).Count",
      "1",
    ],
    [
      "JSON is cut where it is too deep",
      "ConvertTo-Json -InputObject @{ a = @{ b = @{ c = @{ d = 1 } } } } -Compress",
      '{"a":{"b":{"c":"System.Collections.Hashtable"}}}',
    ],
    ["of a list a comparison is a filter", "@('a', 'b', 'A') -ne 'a'", "b"],
    [
      "return ends a block alone",
      "@(1, 2) | ForEach-Object { if ($_ -eq 1) { return }; $_ }; 'on'",
      "2 on",
    ],
    [
      "a function sees its caller's variables and keeps its own",
      "function F { $y = $x; $x = 2; $y }; $x = 1; F; $x",
      "1 1",
    ],
    [
      "an error goes by where it may",
      "Get-Service none -ErrorAction SilentlyContinue; 'on'",
      "on",
    ],
    ["what was said before the end was said", "'one'; exit 0", "one"],
  ])("speaks PowerShell: %s", (_, script, said) => {
    const { code, stdout, stderr } = run(script);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n").join(" ")).toBe(said);
  });

  test.each([
    [
      "an object can't be added to",
      "$x = if ($true) { @(@{ a = 1 } | ConvertTo-Json | ConvertFrom-Json) }; $x + @(1)",
    ],
    ["nothing has no methods", "$nothing.Trim()"],
    ["an error ends the script", "Get-Service none; 'on'"],
  ])("fails as PowerShell does: %s", (_, script) => {
    const { code, stdout } = run(script);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  });
});
