import {
  type EnvironmentVariable,
  environmentVariables,
} from "../../src/base/environmentVariables.ts";
import { code, table, written } from "./markdown.ts";

const headings: Readonly<Record<EnvironmentVariable["audience"], string>> = {
  users: "For users",
  developers: "For tests and measurements",
  internal: "Set by the system or by Guesthouse itself",
};

/** docs/reference/environment.md, from src/base/environmentVariables.ts. */
export function environmentPage(): string {
  const variables: [string, EnvironmentVariable][] =
    Object.entries(environmentVariables);
  const audiences = Object.keys(headings) as EnvironmentVariable["audience"][];
  return [
    written(
      "Environment variables",
      "The variables that Guesthouse, its scripts and its tests read. The helper reads its own when it starts: after a change, restart it (_Restart Helper_, `guesthouse daemon stop`).",
    ),
    ...audiences.flatMap((audience) => [
      `## ${headings[audience]}`,
      table(
        ["Variable", "Meaning", "Default", "Read by"],
        variables
          .filter(([, variable]) => variable.audience === audience)
          .map(([name, variable]) => [
            code(name),
            variable.meaning,
            variable.default,
            variable.readBy,
          ]),
      ),
    ]),
  ].join("\n\n");
}
