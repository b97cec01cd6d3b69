import { describe, expect, test } from "vitest";
import {
  answerFile,
  fromMedium,
} from "../../../../../../src/helper/images/windows/answers/answerFile.ts";
import {
  randomPassword,
  type WindowsAnswers,
} from "../../../../../../src/helper/images/windows/answers/answers.ts";
import { answerFileFaults } from "../../../../../../src/helper/images/windows/answers/answerFileCheck.ts";
import {
  element,
  xmlDocument,
} from "../../../../../../src/helper/images/windows/answers/xml.ts";
import {
  everyElement,
  parsedXml,
} from "../../../../../../src/helper/images/windows/iso/xmlReader.ts";

const answers: WindowsAnswers = {
  architecture: "amd64",
  language: "de-DE",
  editionIndex: 6,
  computerName: "GUESTHOUSE",
  user: "dev",
  password: "not-a-secret",
  driverSystems: ["w11", "2k22"],
  tpm: true,
};

const texts = (text: string, name: string): string[] =>
  everyElement(parsedXml(text), name).map((found) => found.text);

describe("the answer file", () => {
  const text = answerFile(answers);

  test("holds what was answered, and no product key and no bypass that nobody asked for", () => {
    expect(new Set(texts(text, "UILanguage"))).toEqual(new Set(["de-DE"]));
    expect(texts(text, "Value")).toContain("6");
    expect(texts(text, "ComputerName")).toEqual(["GUESTHOUSE"]);
    expect(texts(text, "Username")).toEqual(["dev"]);
    expect(texts(text, "ProductKey")).toEqual([]);
    expect(text).not.toContain("LabConfig");
    expect(texts(text, "Type")).toEqual(["EFI", "MSR", "Primary"]);
  });

  test("bypasses the check for a TPM only where the machine has none", () => {
    const without = answerFile({ ...answers, tpm: false });
    expect(
      texts(without, "Path").filter((path) => /LabConfig/.test(path)),
    ).toEqual([
      "reg.exe add HKLM\\SYSTEM\\Setup\\LabConfig /v BypassTPMCheck /t REG_DWORD /d 1 /f",
      "reg.exe add HKLM\\SYSTEM\\Setup\\LabConfig /v BypassCPUCheck /t REG_DWORD /d 1 /f",
    ]);
  });

  test("B34: names the drivers on D: to F: in both layouts", () => {
    const paths = texts(text, "Path");
    for (const letter of ["D", "E", "F"])
      for (const path of [
        `${letter}:\\viostor\\w11\\amd64`,
        `${letter}:\\NetKVM\\w11\\amd64`,
        `${letter}:\\amd64\\w11`,
        `${letter}:\\amd64\\2k22`,
      ])
        expect(paths).toContain(path);
  });

  test("its commands find the medium by its marker and stay within setup's limits", () => {
    expect(texts(text, "CommandLine")).toEqual([fromMedium("first-logon")]);
    expect(fromMedium("first-logon").length).toBeLessThanOrEqual(1024);
    expect(fromMedium("specialize").length).toBeLessThanOrEqual(259);
    expect(fromMedium("first-logon")).toContain("if exist %d:\\guesthouse.tag");
  });

  test("B33: every image has a password of its own, of all kinds of characters", () => {
    const passwords = Array.from({ length: 50 }, randomPassword);
    expect(new Set(passwords).size).toBe(50);
    for (const password of passwords) {
      expect(password).toMatch(/^[A-Za-z0-9._+-]{28}$/);
      for (const kind of [/[a-z]/, /[A-Z]/, /\d/, /[._+-]/])
        expect(password).toMatch(kind);
    }
  });
});

describe("hostile values", () => {
  const hostile = `</Value></Password><x a="b">&amp;]]>'"<!-- ü €`;

  test("come back from a parser as they went in, wherever text may be anything", () => {
    const text = answerFile({
      ...answers,
      password: hostile,
      timezone: hostile,
      inputLocale: `${hostile}\r\n\t`,
    });
    expect(texts(text, "TimeZone")).toEqual([hostile]);
    expect(texts(text, "Value")).toContain(hostile);
    expect(texts(text, "InputLocale")).toEqual([
      `${hostile}\r\n\t`,
      `${hostile}\r\n\t`,
    ]);
  });

  test("in attributes too, line ends included", () => {
    const value = `${hostile}\r\n\t`;
    const text = xmlDocument(element("a", "", { b: value }));
    expect(parsedXml(text).attributes.get("b")).toBe(value);
  });

  test.each([
    ["a control character", { password: "a\u0000b" }],
    ["half of a pair", { timezone: "a\ud800b" }],
    ["an account with a quote", { user: 'a"b' }],
    ["an account of Windows", { user: "Administrator" }],
    ["an account called as the computer", { user: "guesthouse" }],
    ["a name past 15 characters", { computerName: "A".repeat(16) }],
    ["a name of digits", { computerName: "12345" }],
    ["a name with a markup", { computerName: "<x>" }],
    ["a language that is none", { language: "de-DE<x/>" }],
    ["a product key that is none", { productKey: "12345" }],
    ["an edition before the first", { editionIndex: 0 }],
    ["another architecture", { architecture: "arm64" }],
  ] as const)("%s is refused", (_, change) => {
    expect(() => answerFile({ ...answers, ...change })).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({
          kind: "refused",
          code: "request.invalid",
        }) as unknown,
      }) as Error,
    );
  });
});

describe("the check, which stands in for Windows' silence", () => {
  const text = answerFile(answers);
  test.each<[string, (text: string) => string, RegExp]>([
    ["malformed", (all) => all.replace("</unattend>", ""), /well-formed/],
    ["a bare ampersand", (all) => all.replace("de-DE", "a & b"), /well-formed/],
    [
      "an element that nobody knows",
      (all) => all.replaceAll("WillWipeDisk", "WillWipeAllDisks"),
      /Disk\/WillWipeAllDisks is unknown/,
    ],
    [
      "a name of every object",
      (all) => all.replaceAll("WillWipeDisk", "constructor"),
      /Disk\/constructor is unknown/,
    ],
    [
      "a component that nobody knows",
      (all) => all.replace("Windows-Deployment", "Windows-Deployments"),
      /specialize has no component Microsoft-Windows-Deployments/,
    ],
    [
      "a component of another pass",
      (all) => all.replace("Windows-Deployment", "Windows-Setup"),
      /specialize has no component Microsoft-Windows-Setup/,
    ],
    [
      "passes out of order",
      (all) =>
        all
          .replace('pass="windowsPE"', 'pass="later"')
          .replace('pass="specialize"', 'pass="windowsPE"')
          .replace('pass="later"', 'pass="specialize"'),
      /the passes come as specialize, windowsPE, oobeSystem/,
    ],
    [
      "a gap in the order of commands",
      (all) => all.replace("<Order>2</Order>", "<Order>4</Order>"),
      /has the orders 1, 4, 3/,
    ],
    [
      "an item that is not added",
      (all) => all.replace('<LocalAccount wcm:action="add">', "<LocalAccount>"),
      /LocalAccount isn't added/,
    ],
    [
      "another namespace",
      (all) => all.replace("schemas-microsoft-com:unattend", "x:unattend"),
      /its root is unattend/,
    ],
  ])("finds %s", (_, change, reason) => {
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(answerFileFaults(changed).join("; ")).toMatch(reason);
  });

  test("finds nothing in what is made", () => {
    expect(answerFileFaults(text)).toEqual([]);
  });
});
