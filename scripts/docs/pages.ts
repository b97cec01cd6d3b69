/*
 * The pages of docs/ that are written by code, so that they can't say something else than the program does.
 * `npm run docs` (scripts/docs.mjs) writes them; test/unit/docs/pages.test.ts fails when a committed one is out of date.
 */
import { format } from "prettier";
import { neverAgainPath } from "./citations.ts";
import { commandLinePage } from "./commandLine.ts";
import { contractPage } from "./contract.ts";
import { environmentPage } from "./environment.ts";
import { failuresPage } from "./failures.ts";
import { commandsPage, settingsPage } from "./manifest.ts";
import { neverAgainPage } from "./neverAgain.ts";

export interface Page {
  /** From the project's root. */
  readonly path: string;
  readonly text: () => string;
}

const pages: readonly Page[] = [
  { path: neverAgainPath, text: neverAgainPage },
  { path: "docs/reference/command-line.md", text: commandLinePage },
  { path: "docs/reference/commands.md", text: commandsPage },
  { path: "docs/reference/contract.md", text: contractPage },
  { path: "docs/reference/environment.md", text: environmentPage },
  { path: "docs/reference/failures.md", text: failuresPage },
  { path: "docs/reference/settings.md", text: settingsPage },
];

/** Every written page as it is to be now. */
export async function writtenPages(): Promise<
  { path: string; text: string }[]
> {
  return Promise.all(
    pages.map(async ({ path, text }) => ({
      path,
      text: await format(text(), { parser: "markdown" }),
    })),
  );
}
