import { l10n } from "vscode";
import type { UpStage, Workspace } from "../../protocol/workspaces.ts";

/** What goes on at each stage, for progress and the status bar. */
const stageTexts: Readonly<Record<UpStage, () => string>> = {
  configuration: () => l10n.t("reading the configuration"),
  initializeCommand: () => l10n.t("running initializeCommand on this computer"),
  machine: () => l10n.t("making the VM"),
  features: () => l10n.t("installing the features"),
  files: () => l10n.t("copying the folder"),
  container: () => l10n.t("building and starting the container"),
  environment: () => l10n.t("setting up the environment"),
  onCreateCommand: () => l10n.t("running onCreateCommand"),
  updateContentCommand: () => l10n.t("running updateContentCommand"),
  postCreateCommand: () => l10n.t("running postCreateCommand"),
  dotfiles: () => l10n.t("installing your dotfiles"),
  postStartCommand: () => l10n.t("running postStartCommand"),
  postAttachCommand: () => l10n.t("running postAttachCommand"),
};

export const stageText = (stage: UpStage): string => stageTexts[stage]();

/** The text of a workspace's work under way; undefined while nothing goes on. */
export const workText = ({ state, files }: Workspace): string | undefined => {
  if (state.kind !== "working") return undefined;
  return state.stage === "files" && files !== undefined && files !== "copy"
    ? l10n.t("mounting the folder")
    : stageText(state.stage);
};
