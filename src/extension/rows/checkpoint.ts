import { l10n } from "vscode";
import type { Checkpoint } from "../../protocol/machines.ts";
import { escaped, type Fact, factTable } from "./markdown.ts";
import { bytesText, timeText } from "./quantities.ts";
import type { Row } from "./rows.ts";

export function checkpointRow(checkpoint: Checkpoint): Row {
  const { note, createdAt, sizeBytes, memory, automatic } = checkpoint;
  const parts = [bytesText(sizeBytes), contentText(memory)];
  if (automatic) parts.unshift(l10n.t("automatic"));
  // A row without a note is called by its time.
  if (note !== "") parts.push(timeText(createdAt));
  return {
    label: titleOf(checkpoint),
    description: parts.join(" · "),
    icon: memory ? "circuit-board" : "database",
    context: memory ? "checkpoint.memory" : "checkpoint.disk",
    spoken: [l10n.t("checkpoint {0}", titleOf(checkpoint)), ...parts].join(
      ", ",
    ),
  };
}

/** How people call it: its note, or its time. */
export const titleOf = ({ note, createdAt }: Checkpoint): string =>
  note === "" ? timeText(createdAt) : note;

const contentText = (memory: boolean): string =>
  memory ? l10n.t("memory and disk") : l10n.t("disk only");

/** The tree's and the pickers' order. */
export const newestFirst = (checkpoints: readonly Checkpoint[]): Checkpoint[] =>
  checkpoints.toReversed();

/** The long form of a row, as Markdown. */
export function checkpointTooltip(checkpoint: Checkpoint): string {
  const { note, createdAt, sizeBytes, memory, automatic, id } = checkpoint;
  const facts: Fact[] = [
    [l10n.t("Taken"), escaped(timeText(createdAt))],
    [
      l10n.t("Keeps"),
      memory
        ? l10n.t("memory and disk: rolling back goes on where the guest was")
        : l10n.t("the disk: rolling back boots the guest"),
    ],
    [l10n.t("Size here"), bytesText(sizeBytes)],
    [
      l10n.t("Made"),
      automatic ? l10n.t("automatically, before a change") : l10n.t("by hand"),
    ],
    [l10n.t("Id"), id],
  ];
  return [
    `**${escaped(note === "" ? l10n.t("Checkpoint") : note)}**`,
    factTable(facts),
  ].join("\n\n");
}
