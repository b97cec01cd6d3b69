import { describe, expect, test } from "vitest";
import { planInstall } from "../../../../../../src/helper/images/windows/install/plan.ts";
import type { WindowsIso } from "../../../../../../src/helper/images/windows/iso/inspectIso.ts";
import type { WindowsEdition } from "../../../../../../src/helper/images/windows/iso/wim.ts";

const edition = (
  index: number,
  name: string,
  editionId: string,
  changes: Partial<WindowsEdition> = {},
): WindowsEdition => ({
  index,
  name,
  editionId,
  installationType: "Client",
  architecture: "amd64",
  version: "10.0.26100.1742",
  languages: ["de-DE", "en-US"],
  ...changes,
});

const iso = (...editions: WindowsEdition[]): WindowsIso => ({
  sizeBytes: 1,
  installImage: "sources/install.wim",
  editions,
  architectures: ["amd64"],
  languages: ["de-DE", "en-US"],
  bootsByUefi: true,
  hasNoPromptLoader: true,
});
const home = edition(1, "Windows 11 Home", "Core");
const pro = edition(6, "Windows 11 Pro", "Professional");

describe("what of an ISO is installed", () => {
  test("by itself: the edition for work, its first language, a name made of it", () => {
    expect(planInstall(iso(home, pro), {})).toEqual({
      name: "windows-11-pro",
      edition: pro,
      language: "de-DE",
      computerName: "WIN-WINDOWS-11",
      user: "dev",
      driverSystems: ["w11", "w10"],
    });
    expect(planInstall(iso(home), {}).edition).toBe(home);
  });

  test.each(["6", "professional", "windows 11 pro", " Professional "])(
    "the edition “%s” is found",
    (wish) => {
      expect(planInstall(iso(home, pro), { edition: wish }).edition).toBe(pro);
    },
  );

  test("what the ISO doesn't have is refused with what it has", () => {
    expect(() => planInstall(iso(home, pro), { edition: "Education" })).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({
          code: "request.invalid",
          remedy: expect.stringContaining("6 (Windows 11 Pro)") as string,
        }) as unknown,
      }),
    );
    expect(() => planInstall(iso(pro), { language: "fr-FR" })).toThrow(/fr-FR/);
    expect(() =>
      planInstall(iso(edition(1, "x", "x", { architecture: "arm64" })), {}),
    ).toThrow(/64-bit Intel/);
    expect(() => planInstall({ ...iso(pro), bootsByUefi: false }, {})).toThrow(
      /UEFI/,
    );
  });

  test("a language is taken as the ISO spells it", () => {
    expect(planInstall(iso(pro), { language: "EN-us" }).language).toBe("en-US");
  });

  test.each([
    ["Client", "10.0.19045.1", ["w10"]],
    ["Server", "10.0.26100.1", ["2k25", "2k22", "2k19", "2k16"]],
    ["Server", "10.0.17763.1", ["2k19", "2k16"]],
    ["Server Core", "10.0.20348.1", ["2k22", "2k19", "2k16"]],
    ["Client", undefined, ["w11", "w10"]],
  ])("drivers for %s %s", (installationType, version, systems) => {
    const one = { ...pro, installationType, version } as WindowsEdition;
    expect(planInstall(iso(one), {}).driverSystems).toEqual(systems);
  });

  test.each(["a", "windows-11-enterprise-ltsc", "x..y", "1"])(
    "an image called %s gives a name that Windows takes for a computer",
    (name) => {
      expect(planInstall(iso(pro), { name }).computerName).toMatch(
        /^(?!\d+$)[A-Z0-9](?:[A-Z0-9-]{0,13}[A-Z0-9])$/,
      );
    },
  );
});
