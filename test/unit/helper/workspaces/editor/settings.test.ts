import { expect, test } from "vitest";
import { parseJsonc } from "../../../../../src/helper/workspaces/devcontainer/jsonc.ts";
import {
  mergeSettings,
  type Setting,
  settingsOf,
} from "../../../../../src/helper/workspaces/editor/settings.ts";

const settings = (all: Record<string, unknown>): Setting[] =>
  settingsOf({ customizations: { vscode: { settings: all } } }, {}).settings;
const merge = (
  text: string,
  before: Record<string, unknown>,
  wanted: Record<string, unknown>,
): string | undefined =>
  mergeSettings(text, settings(before), settings(wanted));

test("settings, ports and remoteEnv become machine settings; the file's own settings go first", () => {
  const { settings: all, refused } = settingsOf(
    {
      portsAttributes: { "3000": { label: "web" }, "4000": { label: "api" } },
      otherPortsAttributes: { onAutoForward: "silent" },
      customizations: {
        vscode: {
          settings: {
            "editor.tabSize": 3,
            "remote.portsAttributes": { "4000": { label: "mine" } },
          },
        },
      },
    },
    { TOKEN: "t", GONE: null },
  );
  expect(refused).toEqual([]);
  expect(all).toEqual([
    { path: ["remote.portsAttributes", "3000"], value: { label: "web" } },
    { path: ["remote.portsAttributes", "4000"], value: { label: "mine" } },
    {
      path: ["remote.otherPortsAttributes"],
      value: { onAutoForward: "silent" },
    },
    { path: ["terminal.integrated.env.linux", "TOKEN"], value: "t" },
    { path: ["terminal.integrated.env.linux", "GONE"], value: null },
    { path: ["editor.tabSize"], value: 3 },
  ]);
});

test("a repository sets nothing that concerns the host's programs", () => {
  const { settings: all, refused } = settingsOf(
    {
      customizations: {
        vscode: {
          settings: {
            "guesthouse.qemuPath": "${localWorkspaceFolder}/bin",
            "Remote.SSH.path": "./ssh",
            guesthouse: { home: "/" },
            "remote.SSHish": 1,
          },
        },
      },
    },
    {},
  );
  expect(all.map(({ path }) => path[0])).toEqual(["remote.SSHish"]);
  expect(refused).toEqual([
    "guesthouse.qemuPath",
    "Remote.SSH.path",
    "guesthouse",
  ]);
});

test("an empty or missing file becomes one", () => {
  expect(merge("", {}, { a: 1 })).toBe('{\n  "a": 1\n}\n');
  expect(merge("{}", {}, {})).toBe("{}");
});

test("comments, order and what others have set stay", () => {
  const text = `// mine
{
  "editor.tabSize": 8, // wide
  "a": 1,
}
`;
  expect(merge(text, { a: 1 }, { a: 2, "editor.tabSize": 3, b: true }))
    .toBe(`// mine
{
  "editor.tabSize": 8, // wide
  "a": 2,
  "b": true,
}
`);
});

test("what left the file is taken out, unless somebody changed it since", () => {
  expect(merge('{\n  "a": 1,\n  "b": 2\n}\n', { a: 1, b: 2 }, { b: 2 })).toBe(
    '{\n  "b": 2\n}\n',
  );
  const deep = { "[go]": { "editor.tabSize": 8, list: [{ a: 1 }] } };
  expect(merge(JSON.stringify(deep), deep, {})).toBe("{}");
  expect(merge('{"a":5}', { a: 1 }, {})).toBe('{"a":5}');
  expect(merge('{"a":5}', { a: 1 }, { a: 2 })).toBe('{"a":5}');
});

test("comments around what is taken out stay, and the text is JSON in every place", () => {
  const text = `{
  // one
  "a": 1, // of a
  // two
  "b": [2],
  "c": { "d": 3 } /* of c */
  // end
}
`;
  const all = { a: 1, b: [2], c: { d: 3 } };
  expect(merge(text, { a: 1 }, {})).toBe(`{
  // one
  // of a
  // two
  "b": [2],
  "c": { "d": 3 } /* of c */
  // end
}
`);
  expect(merge(text, { c: { d: 3 } }, {})).toBe(`{
  // one
  "a": 1, // of a
  // two
  "b": [2]
  /* of c */
  // end
}
`);
  for (const kept of [["a"], ["b"], ["c"], ["a", "c"], []]) {
    const left = Object.fromEntries(
      Object.entries(all).filter(([name]) => kept.includes(name)),
    );
    const merged = merge(text, all, left) ?? "";
    for (const comment of ["// one", "// of a", "// two", "// end"])
      expect(merged).toContain(comment);
    expect(parseJsonc(merged)).toMatchObject({ error: undefined, value: left });
  }
});

test("what somebody took out is not put back", () => {
  expect(merge("{}", { a: 1 }, { a: 1 })).toBe("{}");
  expect(merge("{}", { a: 1 }, { a: 2 })).toBe("{}");
});

test("entries of a table are merged one by one; the table goes with the last that was ours", () => {
  const name = "terminal.integrated.env.linux";
  const first = merge(`{"${name}":{"MINE":"1"}}`, {}, { [name]: { A: "a" } });
  expect(JSON.parse(first ?? "")).toEqual({ [name]: { MINE: "1", A: "a" } });
  expect(
    JSON.parse(merge(first ?? "", { [name]: { A: "a" } }, {}) ?? ""),
  ).toEqual({ [name]: { MINE: "1" } });
  const own = merge("", {}, { [name]: { A: "a" } }) ?? "";
  expect(JSON.parse(merge(own, { [name]: { A: "a" } }, {}) ?? "")).toEqual({});
  // A table that is none is its user's own affair.
  expect(merge(`{"${name}":null,"x":1}`, {}, { [name]: { A: "a" } })).toContain(
    "null",
  );
});

test("text that is no JSON is left alone", () => {
  expect(merge('{"a": ', {}, { a: 1 })).toBeUndefined();
  expect(merge("[]", {}, { a: 1 })).toBeUndefined();
});
