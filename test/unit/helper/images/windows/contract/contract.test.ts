import { beforeAll, describe, expect, test } from "vitest";
import { contractLines } from "../../../../../../src/helper/images/windows/contract/contract.ts";
import {
  cmdLineLimit,
  decodedScript,
} from "../../../../../../src/helper/guests/programs/powershell.ts";
import { windowsSteps } from "../../../../../../src/helper/images/windows/steps/steps.ts";
import { sources } from "../house.ts";
import { powerShellSyntax } from "../powerShellSyntax.ts";

const lines = contractLines(sources);

describe("the contract with a guest", () => {
  let faultsOf: (text: string) => string[];
  beforeAll(async () => {
    faultsOf = await powerShellSyntax();
  });

  test("each line has a name of its own and says what is asked and how it is judged", () => {
    const ids = lines.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, title, asked, judged } of lines) {
      expect(id).toMatch(/^[a-z]+\.[a-z][a-z-]*$/);
      for (const text of [title, asked, judged]) expect(text).not.toBe("");
    }
  });

  test("B30: every step of the manifest is a line", () => {
    expect(
      lines
        .map(({ question }) => (question.by === "step" ? question.step : ""))
        .filter((step) => step !== ""),
    ).toEqual(windowsSteps(sources).map(({ id }) => id));
  });

  test("PowerShell's grammar reads every script, also the encoded ones", () => {
    const scripts = lines.flatMap(({ id, question }) => {
      if (question.by === "powershell") return [[id, question.script]];
      if (question.by !== "ssh") return [];
      const encoded = / -EncodedCommand (\S+)$/.exec(question.command)?.[1];
      return encoded === undefined ? [] : [[id, decodedScript(encoded)]];
    });
    expect(scripts.length).toBeGreaterThan(10);
    for (const [id, script = ""] of scripts)
      expect([id, faultsOf(script)]).toEqual([id, []]);
  });

  test("cmd.exe takes every command, the long one just so", () => {
    const lengths = lines.flatMap(({ question }) =>
      question.by === "ssh" ? [question.command.length] : [],
    );
    const longest = Math.max(...lengths);
    expect(longest).toBeLessThan(cmdLineLimit);
    expect(longest).toBeGreaterThan(8_000);
  });

  test("no pattern remembers where it was", () => {
    for (const { question } of lines)
      if ("expect" in question)
        expect(question.expect.flags).not.toMatch(/g|y/);
  });
});
