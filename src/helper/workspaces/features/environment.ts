import { shellQuote } from "../../ssh/quote.ts";
import { type Environment, usualPath } from "../guest/environment.ts";
import type { ResolvedFeature } from "./resolve.ts";

type WithEnvironment = Pick<ResolvedFeature, "metadata">;

/**
 * `containerEnv` of features, in install order, each upon those before it. References are those of a Dockerfile's ENV,
 * which the specification makes it: `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}`. Pure.
 */
export function featuresEnvironment(
  features: readonly WithEnvironment[],
  base: Environment,
): Record<string, string> {
  const before = { PATH: usualPath, ...base };
  const set: Record<string, string> = {};
  for (const { metadata } of features) {
    // All of one feature see what was before it.
    const known = { ...before, ...set };
    for (const [name, value] of Object.entries(metadata.containerEnv ?? {}))
      set[name] = expand(value, known);
  }
  return set;
}

const variable = /\\\$|\$(?:\{(\w+)(?::([-+])([^{}]*))?\}|(\w+))/g;

const expand = (text: string, known: Environment): string =>
  text.replace(
    variable,
    (...[, braced, operator, word, plain]: (string | undefined)[]) => {
      const name = braced ?? plain;
      if (name === undefined) return "$";
      const value = Object.hasOwn(known, name) ? (known[name] ?? "") : "";
      if (operator === "-") return value === "" ? (word ?? "") : value;
      if (operator === "+") return value === "" ? "" : (word ?? "");
      return value;
    },
  );

/**
 * A script for /etc/profile.d: many systems' /etc/profile sets PATH anew, whatever was in it, and this puts the features'
 * folders back. Empty where none changes PATH. Pure.
 */
export function profileScript(features: readonly WithEnvironment[]): string {
  const here = "\0";
  const { PATH } = featuresEnvironment(features, { PATH: here });
  if (PATH === undefined) return "";
  const [before = "", after] = PATH.split(here);
  const folders = (part: string): string[] =>
    part.split(":").filter((folder) => folder !== "");
  const lines =
    after === undefined
      ? [`PATH=${shellQuote(PATH)}`]
      : [
          ...folders(before)
            .reverse()
            .map((folder) => adding(folder, `${shellQuote(folder)}:"$PATH"`)),
          ...folders(after).map((folder) =>
            adding(folder, `"$PATH":${shellQuote(folder)}`),
          ),
        ];
  return [
    "# PATH of the features in devcontainer.json, by Guesthouse",
    ...lines,
    "export PATH",
  ].join("\n");
}

const adding = (folder: string, path: string): string =>
  `case ":$PATH:" in *:${shellQuote(folder)}:*) ;; *) PATH=${path} ;; esac`;

/** `NAME='value'` lines that a shell reads. Names that are none are left out. Pure. */
export const assignments = (variables: Environment): string =>
  Object.entries(variables)
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    .map(([name, value]) => `${name}=${shellQuote(value)}\n`)
    .join("");
