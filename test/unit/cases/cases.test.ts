import { execFile } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parse, type ParseError } from "jsonc-parser";
import { afterAll, describe, expect, test } from "vitest";
import type { Case, Expectation } from "../../cases/case.ts";
import { cases } from "../../cases/list.ts";
import {
  differences,
  partsOf,
  probeScript,
  type RunInContainer,
} from "../../cases/outcome.ts";
import { report } from "../../cases/report.ts";

const folders = resolve(import.meta.dirname, "../../cases/folders");
const scratch = mkdtempSync(join(tmpdir(), "cases-"));
afterAll(() => rmSync(scratch, { recursive: true }));

describe("the list of cases", () => {
  test("has each name once, fit for a folder and a host", () => {
    const names = cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9][a-z0-9-]{1,40}$/);
  });

  test("has a configuration in each, which can be read", () => {
    for (const { name, folder, files = {}, config } of cases) {
      const path =
        config ??
        [".devcontainer/devcontainer.json", ".devcontainer.json"].find(
          (one) =>
            one in files ||
            (folder !== undefined && existsSync(join(folders, folder, one))),
        );
      expect(path, name).toBeDefined();
      const text =
        files[path!] ?? readFileSync(join(folders, folder!, path!), "utf8");
      const errors: ParseError[] = [];
      parse(text.replace(/^\uFEFF/, ""), errors, { allowTrailingComma: true });
      expect(errors, name).toEqual([]);
    }
  });
});

/** The container is this computer. */
const here: RunInContainer = ([command = "", ...args]) =>
  new Promise((done) => {
    execFile(
      command,
      args,
      {
        cwd: scratch,
        env: { ...process.env, HOME: "/home/me", SHOWN: "it's\nso" },
      },
      (error, stdout, stderr) =>
        done({ code: error === null ? 0 : 1, stdout, stderr }),
    );
  });
const me = process.getuid?.() === 0 ? "root" : (process.env["USER"] ?? "");
const like = (expected: Expectation): Case => ({
  name: "here",
  about: "",
  expected: {
    user: me,
    home: "/home/me",
    workspaceFolder: scratch,
    ...expected,
  },
});

describe("looking into a container", () => {
  test("finds nothing where all is as expected", async () => {
    writeFileSync(join(scratch, "it's here"), "text\n");
    const expected: Expectation = {
      env: { SHOWN: "it's\nso", MISSING: "(not set)" },
      files: { "it's here": "text" },
      mounts: ["/proc"],
      checks: [
        { what: "prints", run: "echo 'a b'", prints: /^a b$/ },
        { what: "fails", run: "exit 3", code: 3 },
      ],
      extensions: ["a.b"],
      settings: { x: [1] },
    };
    expect(
      await differences(like(expected), here, {
        extensions: ["a.b", "c.d"],
        settings: { x: [1] },
      }),
    ).toEqual([]);
  });

  test("tells each difference", async () => {
    const told = await differences(
      like({
        user: "somebody",
        files: { nothing: "x" },
        mounts: ["/never"],
        checks: [{ what: "the answer", run: "echo 41", prints: "42" }],
        extensions: ["a.b"],
        forwardPorts: ["db:5432"],
      }),
      here,
      { extensions: [], forwardPorts: [5432] },
    );
    expect(told).toHaveLength(6);
    expect(told.join("\n")).toMatch(/user is “/);
    expect(told.join("\n")).toContain("nothing is mounted at /never");
    expect(told.join("\n")).toContain("the answer: exit code 0, “41”");
    expect(told.join("\n")).toContain("forwarded port db:5432 is missing");
  });

  test("says so when nothing runs", async () => {
    const told = await differences(
      like({}),
      () => Promise.resolve({ code: 126, stdout: "", stderr: "no shell" }),
      {},
    );
    expect(told).toEqual(["nothing runs in the container (126): no shell"]);
  });

  test("keeps what a program prints before the parts out of them", () => {
    expect(probeScript({})).toContain("id -un");
    expect(partsOf("noise\u001euser\nme\n\u001f0\u001ehome")).toEqual(
      new Map([["user", { text: "me", code: 0 }]]),
    );
  });
});

test("a report has a line for each case and says what differs", () => {
  const text = report(
    [
      { name: "one", about: "first" },
      { name: "two", about: "second" },
    ],
    [
      {
        name: "one",
        engine: "reference 1",
        key: "k",
        outcome: "failed",
        seconds: 2.34,
        why: ["it is so"],
      },
    ],
  );
  expect(text).toMatch(/\| one +\| first +\| failed 2\.3 s +\|/);
  expect(text).toMatch(/\| two +\| second +\| — +\|/);
  expect(text).toContain(
    "reference 1: 0 passed, 1 failed, 0 known to fail, 0 skipped, 2 s",
  );
  expect(text).toContain("  - it is so");
});
