import { describe, expect, test } from "vitest";
import {
  parseDescription,
  remoteEnvOf,
} from "../../../../../src/helper/workspaces/container/landing.ts";
import {
  mergedEditor,
  mergedHooks,
} from "../../../../../src/helper/workspaces/container/merged.ts";
import {
  LineReader,
  readLogLine,
  readResult,
} from "../../../../../src/helper/workspaces/container/referenceLog.ts";
import { upFailure } from "../../../../../src/helper/workspaces/container/referenceCli.ts";

describe("the reference implementation's log", () => {
  test("lines come whole, whatever the pieces", () => {
    const lines: string[] = [];
    const reader = new LineReader((line) => lines.push(line));
    for (const piece of ["a", "b\n\nc", "\nd"]) reader.take(piece);
    reader.end();
    expect(lines).toEqual(["ab", "c", "d"]);
  });

  test("texts are shown, the rest is left out", () => {
    expect(readLogLine('{"type":"text","level":3,"text":"Building"}')).toBe(
      "Building\n",
    );
    expect(readLogLine('{"type":"raw","level":3,"text":"#1 DONE"}')).toBe(
      "#1 DONE",
    );
    expect(readLogLine("plain words")).toBe("plain words\n");
    for (const line of [
      '{"type":"text","level":2,"text":"details"}',
      '{"type":"progress","name":"Running postCreateCommand...","status":"running"}',
      '{"type":"stop","startTimestamp":1}',
      '{"type":5}',
    ])
      expect(readLogLine(line)).toBeUndefined();
  });

  test("the result is the last line that is one", () => {
    const id = "a".repeat(64);
    expect(
      readResult(
        `noise\n{"outcome":"error","message":"first"}\n{"outcome":"success","containerId":"${id}","remoteUser":"vscode"}\n`,
      ),
    ).toMatchObject({ outcome: "success", containerId: id });
    expect(
      readResult('{"outcome":"success","containerId":"$(reboot)"}'),
    ).toBeUndefined();
    expect(readResult("")).toBeUndefined();
  });
});

describe("a container's description", () => {
  const describe_ = (head: string, user = "vscode") =>
    parseDescription(`${head}MARKPATH=/bin\0A=b\nc\0`, user, "MARK");

  test("by its passwd entry", () => {
    expect(
      describe_(
        "started=2026-01-01T00:00:00Z\npasswd=vscode:x:1000:1000:,,,:/home/vscode:/bin/bash\n",
      ),
    ).toMatchObject({
      user: "vscode",
      uid: 1000,
      gid: 1000,
      home: "/home/vscode",
      shell: "/bin/bash",
      isMusl: false,
      isReadOnly: false,
      environment: { PATH: "/bin", A: "b\nc" },
    });
  });

  test.each([
    [
      "a number without an entry",
      "65532",
      { user: "65532", uid: 65532, gid: 0, home: "/" },
    ],
    ["with a group", "1001:1002", { uid: 1001, gid: 1002 }],
    ["nothing at all", "", { user: "root", uid: 0 }],
  ])("%s", (_name, user, expected) => {
    expect(describe_("started=x\npasswd=\n", user)).toMatchObject(expected);
  });

  test("another start is another id, in the form of a boot's", () => {
    const one = describe_("started=1\npasswd=\n").startId;
    expect(one).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(describe_("started=2\npasswd=\n").startId).not.toBe(one);
  });

  test("an entry that makes no sense is none", () => {
    expect(
      describe_(
        "started=1\npasswd=x:x:$(id):1:::\nlibc=musl\nreadonly=yes\n",
        "x",
      ),
    ).toMatchObject({
      uid: 0,
      home: "/",
      isMusl: true,
      isReadOnly: true,
    });
  });
});

describe("a merged configuration", () => {
  const merged = {
    onCreateCommands: ["feature", ["own", "args"]],
    postAttachCommands: [{ a: "x", b: ["y"] }],
    postStartCommands: [7],
    remoteEnv: { PATH: "${containerEnv:PATH}:/opt", GONE: null },
    customizations: {
      vscode: [
        { extensions: ["a.a"], settings: { x: { y: 1 }, z: 1 } },
        { extensions: ["a.a", "b.b"], settings: { x: { w: 2 }, z: 2 } },
        "nonsense",
      ],
    },
  };

  test("commands keep their order, each with a name that a container remembers", () => {
    expect(mergedHooks(merged)).toEqual([
      {
        identity: "merged-1",
        commands: {
          onCreateCommand: "feature",
          postAttachCommand: { a: "x", b: ["y"] },
        },
      },
      {
        identity: "merged-2",
        commands: { onCreateCommand: ["own", "args"] },
      },
    ]);
    expect(mergedHooks({})).toEqual([]);
  });

  test("the editor's parts are one", () => {
    expect(mergedEditor(merged)).toEqual({
      vscode: {
        extensions: ["a.a", "b.b"],
        settings: { x: { y: 1, w: 2 }, z: 2 },
      },
    });
  });

  test("remoteEnv knows the container's variables", () => {
    expect(
      remoteEnvOf(
        merged,
        { PATH: "/bin" },
        { localWorkspaceFolder: "/h", devcontainerId: "i", localEnv: {} },
      ),
    ).toEqual({ PATH: "/bin:/opt", GONE: null });
  });
});

test("a container that didn't come up tells why, and leaves the log, another try and its VM", () => {
  const { failure } = upFailure("no such image", ["pulling"], "/l.log");
  expect(failure.message).toBe(
    "The dev container didn't come up: no such image\nIts last output:\n    pulling",
  );
  expect(failure.actions).toEqual(["retry", "showLog", "openVm"]);
});
