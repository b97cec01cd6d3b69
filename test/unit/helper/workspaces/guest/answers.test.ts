import { describe, expect, test } from "vitest";
import * as z from "zod";
import { parseSettings } from "../../../../../src/helper/workspaces/editor/install.ts";
import { parseSurvey } from "../../../../../src/helper/workspaces/features/install.ts";
import { parseMemory } from "../../../../../src/helper/workspaces/guest/linuxGuest.ts";
import { parseAnswer } from "../../../../../src/helper/workspaces/guest/parseAnswer.ts";

const boot = "01234567-89ab-cdef-0123-456789abcdef";

describe("what a guest remembers", () => {
  test("is read, whatever the user's shell printed before", () => {
    const marks = new Map([
      ["files", "once"],
      ["postStartCommand", boot],
    ]);
    const text = `${boot}\nfiles=once\npostStartCommand=${boot}\n`;
    expect(parseMemory(text)).toEqual({ bootId: boot, marks });
    expect(parseMemory(`Welcome!\n${text}`)).toEqual({ bootId: boot, marks });
    expect(parseMemory(boot)).toEqual({ bootId: boot, marks: new Map() });
  });

  test.each([
    ["nothing", ""],
    ["no boot", "files=once\n"],
    ["another boot", "boot-7\nfiles=once\n"],
    ["a line that is no mark", `${boot}\nfiles=once\nnonsense\n`],
    ["a name that is none", `${boot}\n../x=once\n`],
    ["a value that is none", `${boot}\nfiles=$(reboot)\n`],
  ])("is not taken from %s", (_, text) => {
    expect(parseMemory(text)).toBeUndefined();
  });
});

describe("the users of a guest", () => {
  const entry = "dev:x:1000:1000:Dev,,,:/home/dev:/bin/bash";

  test("are read, with what every login has", () => {
    expect(
      parseSurvey(`Hello: world\n${entry}\nmark\nPATH="/bin"\n`, "mark"),
    ).toEqual({
      homes: new Map([["dev", "/home/dev"]]),
      base: { PATH: "/bin" },
    });
  });

  test.each(["", entry, `${entry}\nmark\nA=1\nmark\n`])(
    "are not taken from an answer without its one mark: %j",
    (text) => expect(parseSurvey(text, "mark")).toBeUndefined(),
  );
});

describe("the settings of a guest's editors", () => {
  const encoded = (text: string): string =>
    Buffer.from(text).toString("base64");

  test("are read by folder", () => {
    const memory = { a: [] };
    expect(
      parseSettings(
        `memory\t${encoded(JSON.stringify(memory))}\nfolder\ta\ntext\t${encoded("{}")}\nfolder\tb\n`,
        ["a", "b"],
      ),
    ).toEqual({
      memory,
      files: new Map([
        ["a", "{}"],
        ["b", ""],
      ]),
    });
  });

  test("a memory that was lost or changed is none", () => {
    expect(parseSettings(`memory\t${encoded("[1]")}\n`, [])).toEqual({
      memory: {},
      files: new Map(),
    });
  });

  test.each([
    ["a text of no folder", `text\t${encoded("{}")}\n`],
    ["a folder that nobody asked for", "folder\t/etc\n"],
    ["a text that is not encoded", "folder\ta\ntext\t{}\n"],
    ["a line of its own", "Welcome!\n"],
  ])("are not taken from %s", (_, text) => {
    expect(parseSettings(text, ["a"])).toBeUndefined();
  });
});

describe("an answer as JSON", () => {
  const schema = z.object({ bootId: z.string() });
  const ask = (text: string) => () => parseAnswer("asking", text, schema);

  test("is checked", () => {
    expect(ask('{"bootId":"boot-1"}\r\n')()).toEqual({ bootId: "boot-1" });
  });

  test.each(["", "{", "[]", '{"bootId":1}', 'Hello\n{"bootId":"boot-1"}'])(
    "is refused as the guest's failure: %j",
    (text) => {
      expect(ask(text)).toThrow(
        expect.objectContaining({
          failure: expect.objectContaining({ code: "workspaces.setupFailed" }),
        }),
      );
    },
  );
});
