import { describe, expect, test } from "vitest";
import { windowsIdentityScripts } from "../../../../src/helper/guests/handoff/windowsIdentity.ts";
import {
  bothFiles,
  computerName,
  windowsSeedFiles,
} from "../../../../src/helper/guests/seed/windowsSeed.ts";
import {
  windowsPrograms,
  windowsProgramScripts,
} from "../../../../src/helper/guests/programs/windows.ts";
import {
  bootstrap,
  windowsCommand,
  windowsProgram,
} from "../../../../src/helper/guests/programs/powershellProgram.ts";
import {
  cmdLineLimit,
  decodedScript,
} from "../../../../src/helper/guests/programs/powershell.ts";
import { settleScript } from "../../../../src/helper/machines/warm/windowsTemplate.ts";
import { powerShellSyntax } from "../images/windows/powerShellSyntax.ts";

const faultsOf = await powerShellSyntax();
const scripts = {
  bootstrap,
  ...windowsProgramScripts,
  ...windowsIdentityScripts,
  settle: settleScript,
  bothFiles,
};

describe("what a Windows guest is asked to do is PowerShell", () => {
  test.each(Object.entries(scripts))("%s", (_, script) => {
    expect(faultsOf(script)).toEqual([]);
  });

  test.each(Object.entries(scripts))(
    "%s writes to none of PowerShell's own variables, whose names know no case",
    (name, script) => {
      const own =
        /^(home|host|pid|args|input|error|null|true|false|pshome|profile|matches|switch|sender|event|this)$/i;
      const written = [
        ...script.matchAll(/(?<![.\w:])\$(\w+)\s*=(?!=)/g),
        ...script.matchAll(/foreach \(\$(\w+) in/gi),
      ].map(([, variable]) => variable ?? "");
      expect([name, written.filter((each) => own.test(each))]).toEqual([
        name,
        [],
      ]);
    },
  );

  test("a script with a brace broken is found out", () => {
    expect(faultsOf(windowsProgramScripts.users.replace("}", ""))).not.toEqual(
      [],
    );
  });
});

describe("a script on its way", () => {
  const hostile =
    "ü€😀'; Remove-Item C:\\ -Recurse; $(calc) \u2019 `\" \n%PATH%";

  test("its values stand in no command line, and come through any code page as they were", () => {
    const { argv, input } = windowsProgram("$Values.text", { text: hostile });
    expect(argv.slice(0, -1)).toEqual([
      "powershell.exe",
      "-NoProfile",
      "-NonInteractive",
      "-EncodedCommand",
    ]);
    expect(decodedScript(argv.at(-1) ?? "")).toBe(bootstrap);
    expect(input).toMatch(/^[\x20-\x7e]+\n$/);
    expect(JSON.parse(input ?? "")).toEqual({
      script: "$Values.text",
      values: { text: hostile },
    });
  });

  test("cmd.exe takes the command whatever the script is", () => {
    const { command, stdin } = windowsCommand("x".repeat(100_000));
    expect(command.length).toBeLessThan(cmdLineLimit);
    expect(command).toMatch(/^[A-Za-z0-9+/=. -]+$/);
    expect(stdin.split("\n")).toHaveLength(2);
  });

  test("what Windows prints is read as the agent's own answer is", () => {
    const { read } = windowsPrograms.interfaces;
    expect(
      read(
        '[{"name":"Ethernet","hardware-address":"52:54:00:12:34:56","ip-addresses":[{"ip-address":"10.0.2.15","prefix":24}],"statistics":{"rx-bytes":7,"tx-bytes":8}}]\n',
      ),
    ).toEqual([
      {
        name: "Ethernet",
        macAddress: "52:54:00:12:34:56",
        addresses: ["10.0.2.15/24"],
        receivedBytes: 7,
        sentBytes: 8,
      },
    ]);
    expect(windowsPrograms.users.read("[]")).toEqual([]);
  });
});

describe("the seed of a generalized Windows", () => {
  const hostile = "ssh-ed25519 AAAA it's ’me’; Remove-Item C:\\ #";
  const files = windowsSeedFiles({
    ...{
      instanceId: "guesthouse-7",
      name: "my-long-machine-name",
      user: "Ada",
    },
    authorizedKeys: [hostile],
  });

  test("says name and keys as every release of cloudbase-init asks for them", () => {
    expect(JSON.parse(files["meta-data"])).toEqual({
      "instance-id": "guesthouse-7",
      "local-hostname": "my-long-machine",
      "public-keys": { "guesthouse-0": { "openssh-key": hostile } },
    });
    expect(computerName("0123456789012345")).toBe("vm-012345678901");
    expect(computerName("abcdefghijklmn-opq")).toBe("abcdefghijklmn");
  });

  test("its script is PowerShell for cloudbase-init's ears, and a key that would like to be code stays a key", () => {
    const script = files["user-data"];
    expect(script.split("\r\n")[0]).toBe("#ps1_sysnative");
    expect(script.replaceAll("\r\n", "")).not.toContain("\n");
    expect(faultsOf(script)).toEqual([]);
    expect(script).toContain("'Ada'");
    expect(script).toContain("it''s ’’me’’; Remove-Item");
    expect(script).toContain("administrators_authorized_keys");
    expect(script).not.toContain("PRIVATE KEY");
  });
});
