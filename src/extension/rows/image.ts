import { l10n } from "vscode";
import type { Image, ImageState } from "../../protocol/images.ts";
import { bytesText } from "./quantities.ts";
import type { Row } from "./rows.ts";

export function rowOf(image: Image): Row {
  const parts = [stateText(image.state), ...detailsOf(image)];
  return {
    label: image.name,
    description: parts.join(" · "),
    ...lookOf(image),
    context: contextOf(image.state),
    spoken: [image.title, ...parts].join(", "),
  };
}

const contextOf = (state: ImageState): string =>
  `image.${state.kind}${state.kind === "working" && state.screen !== undefined ? ".screen" : ""}`;

function detailsOf(image: Image): string[] {
  const details: string[] = [];
  if (image.source?.kind === "prebuild")
    details.push(l10n.t("prebuild of {0}", image.source.title));
  if (image.state.kind === "working") details.push(...progressOf(image.state));
  if (image.state.kind === "ready" && image.sizeBytes !== undefined)
    details.push(bytesText(image.sizeBytes));
  if (image.usedBy.length === 1) details.push(l10n.t("1 VM"));
  if (image.usedBy.length > 1)
    details.push(l10n.t("{0} VMs", image.usedBy.length));
  return details;
}

type Working = ImageState & { kind: "working" };

/** `120 MB of 350 MB`, `34 %`, `12 MB/s`: what is known. */
export function progressOf(state: Working): string[] {
  const parts: string[] = [];
  const { bytes, totalBytes, bytesPerSecond, fraction } = state;
  if (bytes !== undefined && totalBytes !== undefined)
    parts.push(l10n.t("{0} of {1}", bytesText(bytes), bytesText(totalBytes)));
  else if (bytes !== undefined) parts.push(bytesText(bytes));
  if (fraction !== undefined)
    parts.push(l10n.t("{0} %", Math.floor(fraction * 100)));
  if (bytesPerSecond !== undefined && bytesPerSecond > 0)
    parts.push(l10n.t("{0}/s", bytesText(bytesPerSecond)));
  return parts;
}

function lookOf({ state, report }: Image): { icon: string; color?: string } {
  switch (state.kind) {
    case "available":
      return { icon: "cloud-download" };
    case "working":
      return { icon: "loading~spin" };
    case "ready":
      return report?.usable === false
        ? { icon: "warning", color: "list.warningForeground" }
        : { icon: "package" };
    case "failed":
      return { icon: "error", color: "list.errorForeground" };
  }
}

export function stateText(state: ImageState): string {
  switch (state.kind) {
    case "available":
      return l10n.t("not on this computer yet");
    case "working":
      return stageText(state.stage);
    case "ready":
      return l10n.t("ready");
    case "failed":
      return l10n.t("failed");
  }
}

/** A stage that this table doesn't know is shown as the helper calls it. */
function stageText(stage: string): string {
  switch (stage) {
    case "download":
      return l10n.t("downloading");
    case "verify":
      return l10n.t("checking the download");
    case "convert":
      return l10n.t("converting");
    case "build":
      return l10n.t("building");
    case "prepare":
      return l10n.t("preparing");
    case "validate":
      return l10n.t("validating");
    case "pack":
      return l10n.t("packing");
    case "unpack":
      return l10n.t("unpacking");
    case "firmware":
      return l10n.t("Windows setup: firmware");
    case "setup":
      return l10n.t("Windows setup: copying files");
    case "start":
      return l10n.t("Windows starts");
    case "specialize":
      return l10n.t("Windows setup: finding its hardware");
    case "first logon":
      return l10n.t("Windows setup: first logon");
    case "verification":
      return l10n.t("Windows setup: verifying");
    case "remediation":
      return l10n.t("Windows setup: mending");
    default:
      return stage;
  }
}
