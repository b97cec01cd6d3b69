import { l10n } from "vscode";
import type { Image, ImageSource } from "../../protocol/images.ts";
import { textOf } from "../failures/remedies.ts";
import { code, escaped, type Fact, factTable } from "../rows/markdown.ts";
import { bytesText } from "../rows/quantities.ts";
import { stateText } from "../rows/image.ts";

/** The long form of a row, as Markdown. */
export function imageTooltip(image: Image): string {
  const { state } = image;
  const lines = [`**${escaped(image.title)}** — ${stateText(state)}`];
  if (state.kind === "failed")
    lines.push(`$(warning) ${escaped(textOf(state.failure))}`);
  if (state.kind === "working" && state.detail !== undefined)
    lines.push(escaped(state.detail));
  lines.push(factTable(factsOf(image)));
  return lines.join("\n\n");
}

function factsOf(image: Image): Fact[] {
  const facts: Fact[] = [[l10n.t("Architecture"), image.architecture]];
  if (image.source !== undefined)
    facts.push([l10n.t("Source"), sourceText(image.source)]);
  if (image.sizeBytes !== undefined)
    facts.push([l10n.t("Size here"), bytesText(image.sizeBytes)]);
  if (image.virtualSizeBytes !== undefined)
    facts.push([
      l10n.t("Disk for the guest"),
      bytesText(image.virtualSizeBytes),
    ]);
  if (image.defaultUser !== undefined)
    facts.push([l10n.t("User"), code(image.defaultUser)]);
  if (image.directBoot !== undefined)
    facts.push([
      l10n.t("Boot"),
      image.directBoot
        ? l10n.t("kernel started directly")
        : l10n.t("firmware and boot loader"),
    ]);
  if (image.report !== undefined) {
    const notOk = image.report.checks.filter(
      ({ outcome }) => outcome === "warning" || outcome === "error",
    ).length;
    facts.push([
      l10n.t("Validation"),
      notOk === 0
        ? l10n.t("all checks passed")
        : l10n.t(
            "{0} of {1} checks need a look",
            notOk,
            image.report.checks.length,
          ),
    ]);
  }
  if (image.usedBy.length > 0)
    facts.push([l10n.t("Used by"), image.usedBy.map(code).join(", ")]);
  if (image.digest !== undefined)
    facts.push([l10n.t("Digest"), code(image.digest.slice(0, 19))]);
  return facts;
}

function sourceText(source: ImageSource): string {
  switch (source.kind) {
    case "catalog":
      return l10n.t("official cloud image, downloaded");
    case "built":
      return l10n.t("built on this computer from the distribution's packages");
    case "imported":
      return source.manifest === undefined
        ? l10n.t("imported from {0}", code(source.path))
        : l10n.t(
            "imported from {0}, prepared and verified by Windows itself",
            code(source.path),
          );
    case "windows":
      return l10n.t(
        "{0}, installed here from {1}",
        escaped(source.edition),
        code(source.iso),
      );
    case "prebuild":
      return l10n.t(
        "prebuild of {0}, made of {1}",
        escaped(source.title),
        code(source.base.name),
      );
  }
}
