import { describe, expect, test } from "vitest";
import {
  type StepSources,
  windowsSteps,
} from "../../../../../../src/helper/images/windows/steps/steps.ts";
import { sources } from "../house.ts";

interface Manifest {
  steps: {
    id: string;
    order: number;
    phase: string;
    needs: string[];
    install: string;
  }[];
}

function changed(
  change: (manifest: Manifest, scripts: Record<string, string>) => void,
): StepSources {
  const manifest = JSON.parse(sources.manifest) as Manifest;
  const scripts = { ...sources.scripts };
  change(manifest, scripts);
  return { manifest: JSON.stringify(manifest), scripts };
}

const step = ({ steps }: Manifest, id: string): Manifest["steps"][number] => {
  const found = steps.find((one) => one.id === id);
  if (found === undefined) throw new Error(`there is no ${id}`);
  return found;
};

const emptied = (text: string, part: string): string =>
  text.replace(
    new RegExp(`#region ${part}\\n[\\s\\S]*?#endregion`),
    `#region ${part}\n# later\n#endregion`,
  );

test("B30: the manifest that ships has all parts of every step, and the marker last", () => {
  const steps = windowsSteps(sources);
  expect(steps.map(({ order }) => order)).toEqual(steps.map((_, i) => i + 1));
  expect(steps.at(-1)?.id).toBe("marker");
  for (const { parts } of steps) {
    expect(parts.verify).not.toBe("");
    expect(parts.remediate).not.toBe("");
  }
});

test("B30: whatever is installed before the marker is among what the marker needs, or needed by it", () => {
  const steps = windowsSteps(sources);
  const reached = new Set<string>();
  const visit = (id: string): void => {
    reached.add(id);
    for (const need of steps.find((one) => one.id === id)?.needs ?? [])
      if (!reached.has(need)) visit(need);
  };
  visit("marker");
  const firstLogon = steps.filter(({ phase }) => phase === "firstLogon");
  expect(firstLogon.filter(({ id }) => !reached.has(id))).toEqual([]);
});

test.each(["drivers", "boot-drivers", "viosock"])(
  "B29: the step %s verifies the devices that run, and no file",
  (id) => {
    const verify =
      windowsSteps(sources).find((one) => one.id === id)?.parts.verify ?? "";
    expect(verify).toMatch(/Get-PnpDevice -PresentOnly[\s\S]*Status -ne 'OK'/);
    expect(verify).not.toMatch(/Test-Path|Get-Item|Get-ChildItem/);
  },
);

test("B29: the step viosock verifies that the provider is registered", () => {
  const viosock = windowsSteps(sources).find(({ id }) => id === "viosock");
  expect(viosock?.parts.verify).toContain("netsh.exe winsock show catalog");
});

describe("B30: a manifest is refused", () => {
  test.each<[string, Parameters<typeof changed>[0], RegExp]>([
    [
      "whose step lacks verify",
      (_, scripts) => {
        scripts["firewall"] = (scripts["firewall"] ?? "").replace(
          "#region verify",
          "#region check",
        );
      },
      /firewall has no verify/,
    ],
    [
      "whose step verifies by a comment only",
      (_, scripts) => {
        scripts["power"] = emptied(scripts["power"] ?? "", "verify");
      },
      /power has no verify/,
    ],
    [
      "whose step lacks remediate",
      (_, scripts) => {
        scripts["openssh"] = emptied(scripts["openssh"] ?? "", "remediate");
      },
      /openssh has no remediate/,
    ],
    [
      "whose step lacks install",
      (_, scripts) => {
        scripts["drivers"] = emptied(scripts["drivers"] ?? "", "install");
      },
      /drivers has no install/,
    ],
    [
      "whose step is the answer file's and a script's",
      (manifest) => {
        step(manifest, "power").install = "answerFile";
      },
      /power is the answer file's and has an install/,
    ],
    [
      "with a gap in its order",
      (manifest) => {
        manifest.steps = manifest.steps.filter(({ id }) => id !== "viosock");
        step(manifest, "marker").needs = [];
      },
      /openssh has the order 13 where 12 comes; .*the script viosock belongs to no step/,
    ],
    [
      "with a circle",
      (manifest) => {
        step(manifest, "drivers").needs.push("marker");
      },
      /drivers needs marker, which comes later/,
    ],
    [
      "with a step that needs itself",
      (manifest) => {
        step(manifest, "power").needs.push("power");
      },
      /power needs power, which comes later/,
    ],
    [
      "with a step that nobody knows",
      (manifest) => {
        step(manifest, "power").needs.push("coffee");
      },
      /power needs coffee, which is no step/,
    ],
    [
      "whose phases go backwards",
      (manifest) => {
        step(manifest, "account").phase = "windowsPE";
      },
      /account of windowsPE comes after device-encryption/,
    ],
    [
      "whose script is missing",
      (_, scripts) => {
        delete scripts["marker"];
      },
      /marker has no script/,
    ],
    [
      "with the same step twice",
      (manifest) => {
        step(manifest, "power").id = "language";
      },
      /language is there twice/,
    ],
  ])("%s", (_, change, reason) => {
    expect(() => windowsSteps(changed(change))).toThrow(reason);
  });
});
