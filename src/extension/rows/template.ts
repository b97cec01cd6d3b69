import { l10n } from "vscode";
import type { Template } from "../../protocol/templates.ts";
import { textOf } from "../failures/remedies.ts";
import { resourcesText } from "./machine.ts";
import { code, escaped, type Fact, factTable } from "./markdown.ts";
import { bytesText, durationText, timeText, usedText } from "./quantities.ts";
import type { Row } from "./rows.ts";

/** `nowMs` is the time of the rendering. */
export function templateRow(template: Template, nowMs: number): Row {
  const { state, shape, sizeBytes, lastUsedAt } = template;
  const parts = [resourcesText(shape)];
  switch (state.kind) {
    case "making":
      parts.push(makingText(state.stage), durationText(nowMs - state.sinceMs));
      break;
    case "ready":
      parts.push(bytesText(sizeBytes), usedText(lastUsedAt, nowMs));
      break;
    case "failed":
      parts.push(l10n.t("could not be made"));
  }
  const label = l10n.t("warm");
  return {
    label,
    description: parts.join(" · "),
    ...lookOf(state.kind),
    context: `template.${state.kind}`,
    spoken: [
      l10n.t("warm template of {0}", template.image.name),
      ...parts,
    ].join(", "),
  };
}

function lookOf(kind: Template["state"]["kind"]): {
  icon: string;
  color?: string;
} {
  switch (kind) {
    case "making":
      return { icon: "loading~spin" };
    case "ready":
      return { icon: "flame", color: "charts.orange" };
    case "failed":
      return { icon: "error", color: "list.errorForeground" };
  }
}

/** A stage that this table doesn't know is shown as the helper calls it. */
export function makingText(stage: string): string {
  switch (stage) {
    case "boot":
      return l10n.t("warming up: boot");
    case "settle":
      return l10n.t("warming up: coming to rest");
    case "save":
      return l10n.t("warming up: saving");
    default:
      return l10n.t("warming up: {0}", stage);
  }
}

/** The long form of a row, as Markdown. */
export function templateTooltip(template: Template): string {
  const { state, shape, image } = template;
  const lines = [`**${escaped(l10n.t("Warm template of {0}", image.name))}**`];
  if (state.kind === "failed")
    lines.push(`$(warning) ${escaped(textOf(state.failure))}`);
  const facts: Fact[] = [
    [
      l10n.t("Shape"),
      [
        resourcesText(shape),
        l10n.t("{0} disk", bytesText(shape.diskGiB * 1024 ** 3)),
        l10n.t("user {0}", code(shape.user)),
      ].join(" · "),
    ],
    [l10n.t("Size here"), bytesText(template.sizeBytes)],
    ...poolFacts(template),
    [l10n.t("Made"), escaped(timeText(template.createdAt))],
    [l10n.t("Last used"), escaped(timeText(template.lastUsedAt))],
    [l10n.t("Digest"), code(image.digest.slice(0, 19))],
    [l10n.t("Id"), code(template.id)],
  ];
  lines.push(
    factTable(facts),
    l10n.t(
      "New VMs of this image and shape go on from here instead of booting.",
    ),
  );
  return lines.join("\n\n");
}

function poolFacts({ pool }: Template): Fact[] {
  if (pool === undefined) return [];
  const { ready, wanted, memoryBytes } = pool;
  return [
    [
      l10n.t("Pool"),
      l10n.t(
        "{0} of {1} clones wait to become the next VM · {2} of memory",
        ready,
        wanted,
        bytesText(memoryBytes),
      ),
    ],
  ];
}

/** Templates of an image: small ones first, and always in the same order. */
export const inOrder = (a: Template, b: Template): number =>
  a.shape.memoryMiB - b.shape.memoryMiB ||
  a.shape.cpus - b.shape.cpus ||
  a.id.localeCompare(b.id);
