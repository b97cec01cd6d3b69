import { describe, expect, test } from "vitest";
import {
  environmentVariables,
  readVariable,
} from "../../../src/base/environmentVariables.ts";
import { filesBelow, textOf } from "../../../scripts/docs/citations.ts";

const table = "src/base/environmentVariables.ts";
const sources = filesBelow(["src", "scripts"], /\.(?:ts|mjs)$/)
  .filter((path) => path !== table && !path.startsWith("src/webview/"))
  .map((path) => ({ path, text: textOf(path) }));

/** The variables that a file reads by name, however it spells that, and those of ours that it only mentions. Pure. */
function variablesIn(text: string): string[] {
  const direct =
    /\benv\["(\w+)"\]|\bprocess\.env\.(\w+)|\breadVariable\(\s*"(\w+)"|\b(GUESTHOUSE_[A-Z_]+)/g;
  const taken = [...text.matchAll(/\{([^{}]*)\}\s*=\s*process\.env\b/g)];
  return [
    ...[...text.matchAll(direct)].map(
      ([, a, b, c, d]) => a ?? b ?? c ?? d ?? "",
    ),
    ...taken.flatMap(([, names = ""]) =>
      [...names.matchAll(/(\w+)(?:\s*:\s*\w+)?/g)].map(([, name = ""]) => name),
    ),
  ];
}

/** Set by the bundler, and no variable of the environment. */
const notOfTheEnvironment = ["GUESTHOUSE_VERSION__"];

describe("the table of environment variables", () => {
  test("has every variable that src and scripts read or name", () => {
    const unknown = sources.flatMap(({ path, text }) =>
      variablesIn(text)
        .filter(
          (name) =>
            !(name in environmentVariables) &&
            // Upper case spellings of a proxy are read with the lower case one.
            !(name.toLowerCase() in environmentVariables) &&
            !notOfTheEnvironment.includes(name),
        )
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  test("has no variable that nobody reads", () => {
    const all = sources.map(({ text }) => text).join("\n");
    expect(
      Object.keys(environmentVariables).filter(
        (name) => !new RegExp(`\\b${name}\\b`).test(all),
      ),
    ).toEqual([]);
  });

  test("is how src reads variables of the process", () => {
    expect(
      sources
        .filter(
          ({ path, text }) =>
            path.startsWith("src/") &&
            /process\.env(?:\.|\[")|\}\s*=\s*process\.env/.test(text),
        )
        .map(({ path }) => path),
    ).toEqual([]);
  });
});

test("each way to name a variable is found", () => {
  expect(
    variablesIn(
      'env["A"]; process.env.B; readVariable("C"); const { D, E: own } = process.env; // GUESTHOUSE_F',
    ),
  ).toEqual(["A", "B", "C", "GUESTHOUSE_F", "D", "E"]);
});

test("a variable is read from the environment that is given", () => {
  expect(readVariable("GUESTHOUSE_HOME", { GUESTHOUSE_HOME: "/x" })).toBe("/x");
  expect(readVariable("GUESTHOUSE_POOL", {})).toBeUndefined();
});
