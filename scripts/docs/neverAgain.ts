import {
  type Citation,
  citations,
  neverAgainPath,
  textOf,
} from "./citations.ts";

const heldBy = "Held by:";
const unheldHeading = "## Not held by a test yet";

/** The numbers that the page explains, and those of them that it says no test holds. Pure. */
export function readNeverAgain(page: string): {
  held: string[];
  unheld: string[];
} {
  const [body = "", rest = ""] = page.split(unheldHeading);
  const numbers = (text: string, pattern: RegExp): string[] =>
    [...text.matchAll(pattern)].map(([, number = ""]) => number);
  return {
    held: numbers(body, /^### ([BF]\d+):/gm),
    unheld: numbers(rest, /^- ([BF]\d+):/gm),
  };
}

/** The page with its lists of tests as the tests are now; the sentences stay as they were written. */
export function neverAgainPage(): string {
  const tests = citations().filter(({ path }) => path.startsWith("test/"));
  const [body = "", rest = ""] = textOf(neverAgainPath).split(unheldHeading);
  const sections = body.split(/^(?=#{2,3} )/m).map((text) => {
    const number = /^### ([BF]\d+):/.exec(text)?.[1];
    if (number === undefined) return text;
    const [sentences = ""] = text.split(heldBy);
    const list = listOf(tests.filter((test) => test.number === number));
    return `${sentences.trimEnd()}\n\n${heldBy}\n\n${list}\n\n`;
  });
  return `${sections.join("")}${unheldHeading}${rest}`;
}

/** One line a file, with the names of its tests that cite the number. Pure. */
function listOf(tests: readonly Citation[]): string {
  const files = new Map<string, string[]>();
  for (const { path, test } of tests) {
    const names = files.get(path) ?? [];
    files.set(path, names);
    if (test !== undefined) names.push(`\`${test.replaceAll("`", "'")}\``);
  }
  return [...files]
    .map(
      ([path, names]) =>
        `- \`${path}\`${names.length === 0 ? "" : `: ${names.join(" · ")}`}`,
    )
    .join("\n");
}
