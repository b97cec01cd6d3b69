import { describe, expect, test } from "vitest";
import {
  judgeOutput,
  stepResults,
} from "../../../../../src/helper/machines/selfTest/answers.ts";

const ended = (stdout: string, code = 0, stderr = "") => ({
  code,
  stdout,
  stderr,
});

describe("how an answer is judged", () => {
  test("by its code, which is 0 unless another is wanted, and by what was printed", () => {
    expect(judgeOutput(ended("True\r\n"), { expect: /^True$/ })).toEqual({
      output: "True\r\n",
    });
    expect(
      judgeOutput(ended("x", 7), { expect: /^x$/, code: 7 }).reason,
    ).toBeUndefined();
    expect(
      judgeOutput(ended("x", 127, "sh: no such\nmore"), { expect: /^x$/ }),
    ).toEqual({
      output: "x\nsh: no such\nmore",
      reason: "It ended with code 127. sh: no such",
    });
    expect(judgeOutput(ended("False"), { expect: /^True$/ }).reason).toBe(
      "It answered something else.",
    );
  });

  test("verify.ps1's lines are taken by step, whatever stands between them", () => {
    const results = stepResults(
      ended(
        'WARNING: x\r\n{"id":"drivers","ok":true,"reason":""}\r\n{"id":"power","ok":false,"reason":"Hibernation is on."}\r\n{"id":5}\r\n',
        1,
      ),
    );
    expect([...results.keys()]).toEqual(["drivers", "power"]);
    expect(results.get("drivers")?.reason).toBeUndefined();
    expect(results.get("power")?.reason).toBe("Hibernation is on.");
  });

  test("without a single line the reason is what it complained about", () => {
    expect(() => stepResults(ended("", 1, "The file does not exist."))).toThrow(
      "The steps can't be verified. The file does not exist.",
    );
  });
});
