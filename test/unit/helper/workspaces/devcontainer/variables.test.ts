import { describe, expect, test } from "vitest";
import {
  devcontainerId,
  localVariables,
  substitute,
} from "../../../../../src/helper/workspaces/devcontainer/variables.ts";

const values = {
  localWorkspaceFolder: "/home/me/my project",
  containerWorkspaceFolder: "/workspaces/my project",
  devcontainerId: "abc123",
  localEnv: { HOME: "/home/me", EMPTY: "", TOKEN: "${localEnv:HOME}" },
};

describe("variables of a devcontainer.json", () => {
  test.each([
    ["${localEnv:HOME}/x", "/home/me/x"],
    ["${localEnv:NONE}", ""],
    ["${localEnv:NONE:http://a:1}", "http://a:1"],
    ["${localEnv:EMPTY:default}", ""],
    ["${localWorkspaceFolder}", "/home/me/my project"],
    ["${localWorkspaceFolderBasename}", "my project"],
    ["${containerWorkspaceFolder}/a", "/workspaces/my project/a"],
    ["${containerWorkspaceFolderBasename}", "my project"],
    ["${devcontainerId}-x", "abc123-x"],
    ["${unknown} $HOME ${HOME}", "${unknown} $HOME ${HOME}"],
    ["${localEnv}", "${localEnv}"],
    ["${localEnv:__proto__}", ""],
  ])("%s", (text, expected) => {
    expect(substitute(text, values)).toBe(expected);
  });

  test("stand in values at any depth, never in names", () => {
    expect(
      substitute(
        { "${devcontainerId}": ["${devcontainerId}", 1, null] },
        values,
      ),
    ).toEqual({ "${devcontainerId}": ["abc123", 1, null] });
  });

  test("containerEnv has a value only where the guest is known", () => {
    const text = "${containerEnv:PATH}:/opt";
    expect(substitute(text, values)).toBe(text);
    expect(
      substitute(text, { ...values, containerEnv: { PATH: "/bin" } }),
    ).toBe("/bin:/opt");
  });

  test("a value that looks like a variable is not filled in again", () => {
    expect(substitute("${localEnv:TOKEN}", values)).toBe("${localEnv:HOME}");
  });

  test("the host's variables that a file reads are known beforehand", () => {
    expect(
      localVariables({
        a: "${localEnv:B} ${containerEnv:C}",
        d: ["${localEnv:E:f}", "${localEnv:B}"],
        "${localEnv:NAME}": 1,
      }),
    ).toEqual(["B", "E"]);
  });

  test("the id is alphanumeric, stable, and another for another folder or file", () => {
    const id = devcontainerId("/a", ".devcontainer.json");
    expect(id).toMatch(/^[0-9a-v]{52}$/);
    expect(devcontainerId("/a", ".devcontainer.json")).toBe(id);
    expect(devcontainerId("/b", ".devcontainer.json")).not.toBe(id);
    expect(devcontainerId("/a", "x")).not.toBe(id);
  });
});
