import * as z from "zod";
import { methods, notices } from "../../src/protocol/contract.ts";
import { code, table, written } from "./markdown.ts";

/** docs/reference/contract.md: every request and notice, with the names of what goes and comes. */
export function contractPage(): string {
  return [
    written(
      "Contract",
      "What the extension and the command line ask of the helper, and what the helper tells them. `?` marks what may be left out; `src/protocol/` has the exact shapes.",
    ),
    "## Requests",
    table(
      ["Method", "Params", "Result"],
      Object.entries(methods)
        .sort(byName)
        .map(([name, { params, result }]) => [
          code(name),
          shapeOf(params, "input"),
          shapeOf(result, "output"),
        ]),
    ),
    "## Notices",
    table(
      ["Notice", "Params"],
      Object.entries(notices)
        .sort(byName)
        .map(([name, { params }]) => [code(name), shapeOf(params, "output")]),
    ),
  ].join("\n\n");
}

const byName = (
  [a]: readonly [string, unknown],
  [b]: readonly [string, unknown],
): number => a.localeCompare(b, "en");

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

const shapeOf = (schema: z.ZodType, io: "input" | "output"): string =>
  describe(
    z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonSchema,
  );

/** The names of a record's fields; a list's are marked as many. Pure. */
function describe(schema: JsonSchema): string {
  const { type, properties, required = [], items } = schema;
  const either = schema.anyOf ?? schema.oneOf;
  if (either !== undefined)
    return [...new Set(either.map(describe))].join(" or ");
  if (items !== undefined) return `many: ${describe(items)}`;
  if (type !== "object") return type === "null" ? "nothing" : (type ?? "");
  const names = Object.keys(properties ?? {});
  return names
    .map((name) => code(required.includes(name) ? name : `${name}?`))
    .join(", ");
}
