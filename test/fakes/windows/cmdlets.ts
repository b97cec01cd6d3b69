/* Cmdlets that know nothing of a guest but values and programs, and the table of all of them. */
import { fileCmdlets } from "./files.ts";
import type { Cmdlet } from "./session.ts";
import { NotPlayed } from "./tree.ts";
import { systemCmdlets } from "./system.ts";
import { make, programOf } from "./types.ts";
import {
  Failure,
  fromJson,
  isNothing,
  listOf,
  memberOf,
  numberOf,
  textOf,
  thing,
  toJson,
} from "./values.ts";

const echo: Cmdlet = {
  takes: "*InputObject",
  run: ({ input, given }) => given("InputObject") ?? [...input],
};

const plain: Readonly<Record<string, Cmdlet>> = {
  "write-output": echo,
  echo,
  "out-null": { takes: "", run: () => undefined },
  "out-string": {
    takes: "",
    run: ({ input }) => input.map((each) => `${textOf(each)}\r\n`).join(""),
  },
  "select-object": {
    takes: "First",
    run: ({ input, given }) => input.slice(0, numberOf(given("First"))),
  },
  "measure-object": {
    takes: "Property Average?",
    run: ({ input, text }) => {
      const all = input.map((each) =>
        numberOf(memberOf(each, text("Property"))),
      );
      const sum = all.reduce((one, other) => one + other, 0);
      return thing({
        Average: all.length === 0 ? null : sum / all.length,
        Count: all.length,
      });
    },
  },
  "convertto-json": {
    takes: "InputObject Depth Compress?",
    run: ({ input, given, is }) => {
      const piped = input.length === 1 ? input[0] : [...input];
      const depth = given("Depth");
      return toJson(
        given("InputObject") ?? piped,
        isNothing(depth) ? 2 : numberOf(depth),
        is("Compress"),
      );
    },
  },
  "convertfrom-json": {
    takes: "",
    // A list comes out as one piece (Windows PowerShell 5.1).
    run: ({ input }) => [fromJson(input.map(textOf).join("\n"))],
  },
  "new-object": {
    takes: "*TypeName *ArgumentList",
    run: ({ session, text, given }) => {
      const args = listOf(given("ArgumentList"));
      const made = make(session, text("TypeName"), args);
      return Array.isArray(made) ? [made] : made;
    },
  },
  "get-command": {
    takes: "*Name CommandType",
    run: ({ session: { guest }, text }) => {
      if (text("CommandType") !== "Application")
        throw new NotPlayed("finds only programs");
      const program = programOf(guest, text("Name"));
      if (program !== undefined) return thing({ Source: program });
      throw new Failure(
        `The term '${text("Name")}' is not recognized as the name of a cmdlet, function, script file, or operable program.`,
      );
    },
  },
};

export const cmdlets: Readonly<Record<string, Cmdlet>> = {
  ...plain,
  ...fileCmdlets,
  ...systemCmdlets,
};
