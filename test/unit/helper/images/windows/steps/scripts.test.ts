import { describe, expect, test } from "vitest";
import {
  decodedScript,
  encodedCommand,
  powerShellLiteral,
  scriptFile,
} from "../../../../../../src/helper/guests/programs/powershell.ts";
import {
  manifestDigest,
  scriptNames,
  windowsScripts,
} from "../../../../../../src/helper/images/windows/steps/scripts.ts";
import { beginScript } from "../../../../../../src/helper/images/windows/install/beginning.ts";
import { filesScript } from "../../../../../../src/helper/images/windows/install/overSsh.ts";
import { windowsSteps } from "../../../../../../src/helper/images/windows/steps/steps.ts";
import { sources, values } from "../house.ts";
import { powerShellSyntax } from "../powerShellSyntax.ts";

const faultsOf = await powerShellSyntax();
const scripts = windowsScripts(values, sources);

describe("B30: every generated script is PowerShell", () => {
  test.each(scriptNames)("%s", (name) => {
    expect(faultsOf(scripts[name])).toEqual([]);
  });

  test("so is every part of every step by itself, and the task that heals the card", () => {
    for (const { id, parts } of windowsSteps(sources))
      for (const body of Object.values(parts) as string[])
        expect([id, faultsOf(body)]).toEqual([id, []]);
    expect(faultsOf(sources.healNic)).toEqual([]);
    expect(faultsOf(beginScript)).toEqual([]);
    expect(faultsOf(filesScript)).toEqual([]);
  });

  test.each([
    ["a brace", (text: string) => text.replace("$Steps = @(", "$Steps = @({")],
    [
      "a string",
      (text: string) =>
        text.replace("'The marker is missing.'", "'The marker is missing."),
    ],
    ["a here-string", (text: string) => text.replace("\n'@\n", "\n'\n")],
  ])("a script with %s broken is found out", (_, breaking) => {
    const broken = breaking(scripts.verify);
    expect(broken).not.toBe(scripts.verify);
    expect(faultsOf(broken)).not.toEqual([]);
  });
});

describe("the scripts hold what they should", () => {
  test("each step has its verification and remediation in each of them, in order", () => {
    const ids = windowsSteps(sources).map(({ id }) => id);
    for (const name of scriptNames)
      expect(
        [...scripts[name].matchAll(/^ {2}Id = '([^']+)'$/gm)].map(
          ([, id]) => id,
        ),
      ).toEqual(ids);
  });

  test("a disk that came with Windows is verified before anything is installed, and what it has of its own is left", () => {
    const own = windowsScripts(
      {
        ...values,
        ...{ computerName: "", language: "", driverSystems: [] },
        preparation: "0123abcd",
      },
      sources,
    );
    expect(faultsOf(own.begin)).toEqual([]);
    expect(own.begin).toContain("'Preparation' = '0123abcd'");
    expect(scripts["first-logon"]).toContain("'Preparation' = ''");
    expect(sources.ends["first-logon"]).toContain(
      "if ($round -eq 0 -and $Guesthouse.Preparation -eq '') {",
    );
    expect(own.begin).not.toMatch(/Restart-Computer/);
  });

  test("B31: the task that heals the card is its source, byte for byte", () => {
    const encoded = /'HealNic' = '([^']+)'/.exec(scripts.verify)?.[1] ?? "";
    expect(decodedScript(encoded)).toBe(sources.healNic);
  });

  test("the same values give the same scripts; another source gives another digest", () => {
    expect(windowsScripts(values, sources)).toEqual(scripts);
    expect(manifestDigest({ ...sources, healNic: `${sources.healNic} ` }))
      .not //
      .toBe(manifestDigest(sources));
  });

  test("B33: the firewall is never switched off, and nothing is downloaded or logged in by password", () => {
    const all = scriptNames.map((name) => scripts[name]).join("\n");
    expect(all).not.toMatch(/-Enabled\s+False/i);
    expect(all).not.toMatch(/advfirewall\s+set\s+\S+\s+state\s+off/i);
    expect(all).not.toMatch(/Invoke-WebRequest|Start-BitsTransfer|iwr /i);
    expect(all).not.toMatch(/Enable-PSRemoting|winrm quickconfig/i);
    expect(all).not.toMatch(/PasswordAuthentication yes/i);
  });

  test("no step writes over what the scripts rely on: PowerShell's names know no case, and its functions see their caller's variables", () => {
    const kept = new Set(
      [...sources.prelude.matchAll(/^\$(\w+) = /gm)]
        .map(([, name]) => name?.toLowerCase())
        .concat("guesthouse", "step", "steps", "part", "psscriptroot"),
    );
    expect(kept).toContain("folder");
    for (const { id, parts } of windowsSteps(sources))
      for (const body of Object.values(parts) as string[])
        expect([
          id,
          [...body.matchAll(/(?<![.\w])\$(\w+)\s*(?:=|in\b)/gi)]
            .map(([, name]) => name?.toLowerCase())
            .filter((name) => kept.has(name)),
        ]).toEqual([id, []]);
  });

  test("B34: drivers are looked for on D: to G: in both layouts", () => {
    expect(sources.prelude).toContain("@('D', 'E', 'F', 'G')");
    expect(sources.prelude).toContain("\\$name\\$system\\amd64");
    expect(sources.prelude).toContain("\\amd64\\$system");
  });

  test("files begin with a byte order mark and have Windows' line ends", () => {
    const file = scriptFile("a\nb\r\n");
    expect([...file.subarray(0, 3)]).toEqual([0xef, 0xbb, 0xbf]);
    expect(file.subarray(3).toString()).toBe("a\r\nb\r\n");
  });
});

describe("values that would like to be code", () => {
  const hostile = "'; Remove-Item C:\\ -Recurse; $(calc) ’ ‘ ‚ ‛ `\" \n@' {";

  test("stay one string", () => {
    const text = windowsScripts(
      { ...values, authorizedKeys: [hostile], user: hostile },
      sources,
    ).verify;
    expect(faultsOf(text)).toEqual([]);
    expect(powerShellLiteral("a'b’c")).toBe("'a''b’’c'");
    expect(powerShellLiteral({ a: [hostile], b: true }).match(/\n/g)).toEqual([
      "\n",
    ]);
  });
});

describe("-EncodedCommand", () => {
  const encodedPart = (command: string): string =>
    command.split(" ").at(-1) ?? "";

  test("carries any script through cmd.exe as it is", () => {
    const script = 'if ("a" -gt \'ü\') { "%PATH%" } & ^ | > €';
    const command = encodedCommand(script);
    expect(command).toMatch(/^[A-Za-z0-9+/=. -]+$/);
    expect(decodedScript(encodedPart(command))).toBe(script);
  });

  test("refuses what cmd.exe would cut off at 8,191 characters", () => {
    const longest = "x".repeat(3047);
    expect(encodedCommand(longest).length).toBeLessThan(8191);
    expect(encodedCommand(longest).length).toBeGreaterThan(8180);
    expect(() => encodedCommand(`${longest}xxx`)).toThrow(/8191/);
  });
});
