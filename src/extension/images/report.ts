import { l10n } from "vscode";
import type { Image, ImageCheck, ImageReport } from "../../protocol/images.ts";
import { escaped } from "../rows/markdown.ts";
import { type Outcome, outcomeText } from "../rows/outcome.ts";

/** A validation report as a page: what needs a look comes first. */
export function reportMarkdown(image: Image, report: ImageReport): string {
  const verdict = report.usable
    ? l10n.t("This image can be used.")
    : l10n.t("This image can't be used as it is.");
  const rows = report.checks
    .toSorted((a, b) => rank(a) - rank(b))
    .map(({ title, outcome, detail, remedy }) =>
      [
        "",
        outcomeText(outcome),
        escaped(title),
        [detail, remedy]
          .filter((text) => text !== undefined)
          .map(escaped)
          .join("<br>"),
        "",
      ]
        .join(" | ")
        .trim(),
    );
  return [
    `# ${escaped(image.title)}`,
    `**${verdict}** ${escaped(new Date(report.checkedAt).toLocaleString())}`,
    [
      `| | ${l10n.t("Check")} | ${l10n.t("What was found")} |`,
      "|---|---|---|",
      ...rows,
    ].join("\n"),
    "",
  ].join("\n\n");
}

const ranks: Readonly<Record<Outcome, number>> = {
  error: 0,
  warning: 1,
  ok: 2,
  notApplicable: 3,
};
const rank = ({ outcome }: ImageCheck): number => ranks[outcome];
