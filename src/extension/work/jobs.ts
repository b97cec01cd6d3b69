import { l10n } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import type { Workspace } from "../../protocol/workspaces.ts";
import type { Template } from "../../protocol/templates.ts";
import { progressOf, stateText as imageStateText } from "../rows/image.ts";
import { isPassing, stateText as machineStateText } from "../rows/machine.ts";
import { makingText } from "../rows/template.ts";
import { workText } from "../rows/workspace.ts";

/** Something that goes on in the background, whoever started it. */
export interface Job {
  readonly kind: "machine" | "image" | "template" | "workspace";
  readonly id: string;
  readonly name: string;
  readonly text: string;
  readonly canCancel: boolean;
}

export function jobsOf(
  machines: readonly Machine[],
  images: readonly Image[],
  templates: readonly Template[] = [],
  workspaces: readonly Workspace[] = [],
): Job[] {
  const jobs: Job[] = [];
  for (const { name, state } of images)
    if (state.kind === "working")
      jobs.push({
        kind: "image",
        id: name,
        name,
        text: [imageStateText(state), ...progressOf(state)].join(" · "),
        canCancel: true,
      });
  for (const { id, image, state } of templates)
    if (state.kind === "making")
      jobs.push({
        kind: "template",
        id,
        name: image.name,
        text: makingText(state.stage),
        // It ends with the request that asked for it.
        canCancel: false,
      });
  for (const workspace of workspaces) {
    const text = workText(workspace);
    if (text !== undefined)
      jobs.push({
        kind: "workspace",
        id: workspace.folder,
        name: workspace.title,
        text,
        // It ends with the request that asked for it.
        canCancel: false,
      });
  }
  for (const { id, name, state } of machines)
    if (isPassing(state))
      jobs.push({
        kind: "machine",
        id,
        name,
        text: machineStateText(state),
        canCancel: state.kind === "starting",
      });
  return jobs;
}

/** One job in full, several by their number; undefined when nothing goes on. */
export function statusText(jobs: readonly Job[]): string | undefined {
  const [first, second] = jobs;
  if (first === undefined) return undefined;
  return second === undefined
    ? `$(sync~spin) ${first.name}: ${first.text}`
    : l10n.t("$(sync~spin) Guesthouse: {0} jobs", jobs.length);
}
