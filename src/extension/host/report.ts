import { l10n } from "vscode";
import type { DoctorReport } from "../../protocol/host.ts";
import { block, escaped } from "../rows/markdown.ts";
import { outcomeText } from "../rows/outcome.ts";

/** The host check as a page. */
export function doctorMarkdown(report: DoctorReport): string {
  const verdict = report.healthy
    ? l10n.t("This computer is ready for VMs.")
    : l10n.t("Something is missing before VMs can run here.");
  const rows = report.checks.map(({ title, outcome, detail, remedy }) => {
    const found = [detail, remedy]
      .filter((text) => text !== undefined)
      .map(escaped)
      .join("<br>");
    return `| ${outcomeText(outcome)} | ${escaped(title)} | ${found} |`;
  });
  const sections = [
    `# ${l10n.t("Host check")}`,
    `**${verdict}**`,
    [
      `| | ${l10n.t("Check")} | ${l10n.t("What was found")} |`,
      "|---|---|---|",
      ...rows,
    ].join("\n"),
  ];
  if (report.installCommand !== undefined)
    sections.push(
      l10n.t(
        "This command installs what is missing; *Guesthouse: Install Missing Tools* runs it in a terminal:",
      ),
      block([report.installCommand.join(" ")]),
    );
  return `${sections.join("\n\n")}\n`;
}
