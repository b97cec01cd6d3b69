import { l10n } from "vscode";
import type { Diagnosis, Machine } from "../../protocol/machines.ts";
import { block, escaped, type Fact, factTable } from "../rows/markdown.ts";
import { outcomeText } from "../rows/outcome.ts";
import { durationText } from "../rows/quantities.ts";
import { stageText } from "../rows/machine.ts";

/** A diagnosis as a page: the likely cause first, then what it was concluded from (B8, B10, B12). */
export function diagnosisMarkdown(
  machine: Pick<Machine, "name">,
  diagnosis: Diagnosis,
): string {
  const sections = [
    `# ${escaped(l10n.t("Diagnosis of {0}", machine.name))}`,
    `**${escaped(diagnosis.hint)}**`,
    factTable(factsOf(diagnosis)),
    ...probeSection(diagnosis),
    ...cloudInitSection(diagnosis),
    `## ${l10n.t("Last lines of the console")}`,
    diagnosis.consoleTail.length === 0
      ? l10n.t("The guest has written nothing.")
      : block(diagnosis.consoleTail),
  ];
  return `${sections.join("\n\n")}\n`;
}

function factsOf(diagnosis: Diagnosis): Fact[] {
  const { stage, waitedMs, runState, network, addresses, cloudInit } =
    diagnosis;
  const facts: Fact[] = [
    [l10n.t("Stage reached"), stageText(stage)],
    [l10n.t("Time since the start"), durationText(waitedMs)],
    [l10n.t("State of the virtual machine"), escaped(runState)],
  ];
  if (network !== undefined)
    facts.push(
      [
        l10n.t("Network card"),
        network.driver
          ? l10n.t("driven by the guest")
          : l10n.t("nothing in the guest drives it"),
      ],
      [l10n.t("Frames sent by the guest"), String(network.sentFrames)],
      [l10n.t("Frames received by the guest"), String(network.receivedFrames)],
    );
  facts.push([
    l10n.t("Addresses"),
    addresses.length === 0
      ? l10n.t("none known")
      : addresses.map(escaped).join(", "),
  ]);
  if (cloudInit !== undefined)
    facts.push(["cloud-init", escaped(cloudInit.status)]);
  return facts;
}

function probeSection({ probes }: Diagnosis): string[] {
  if (probes.length === 0) return [];
  const rows = probes.map(({ id, required, passed, detail }) => {
    const outcome = passed
      ? outcomeText("ok")
      : required
        ? outcomeText("error")
        : `⚠ ${l10n.t("optional")}`;
    return `| ${outcome} | ${escaped(id)} | ${escaped(detail)} |`;
  });
  return [
    `## ${l10n.t("What was asked of the guest")}`,
    ["| | | |", "|---|---|---|", ...rows].join("\n"),
  ];
}

function cloudInitSection({ cloudInit }: Diagnosis): string[] {
  if (cloudInit === undefined) return [];
  const lines = [...cloudInit.errors, ...cloudInit.logTail];
  return lines.length === 0
    ? []
    : [`## ${l10n.t("What cloud-init said")}`, block(lines)];
}
