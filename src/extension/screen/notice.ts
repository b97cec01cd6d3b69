import { l10n } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Machine } from "../../protocol/machines.ts";
import { stateText as imageStateText } from "../rows/image.ts";
import { gateOf, stateText } from "../rows/machine.ts";
import type { Notice } from "./messages.ts";

/** What the panel says while there is no picture, and what helps; undefined when there is one. */
export function noticeOf(
  machine: Machine | undefined,
  connected: boolean,
): Notice | undefined {
  if (machine === undefined)
    return { text: l10n.t("This VM is gone, and its screen with it.") };
  const { name, runtime, screen } = machine;
  if (runtime?.screenSocket !== undefined)
    return connected ? undefined : connecting(name);
  const gate = gateOf(machine.state);
  if (gate === "suspended")
    return {
      text: screen
        ? l10n.t("{0} is suspended.", name)
        : l10n.t(
            "{0} was suspended without a screen. Resume it first; then it can be restarted with one.",
            name,
          ),
      action: { id: "start", label: l10n.t("Resume") },
    };
  if (gate === "stopped")
    return screen
      ? {
          text: l10n.t("{0} is stopped.", name),
          action: { id: "start", label: l10n.t("Start") },
        }
      : {
          text: l10n.t("{0} has no screen.", name),
          action: {
            id: "addScreen",
            label: l10n.t("Add a Screen and Start"),
          },
        };
  if (runtime !== undefined && !screen)
    return {
      text: l10n.t(
        "{0} has no screen, and can only get one while it is off. A restart ends what runs in it.",
        name,
      ),
      action: { id: "addScreen", label: l10n.t("Add a Screen and Restart") },
    };
  return { text: `${name}: ${stateText(machine.state)}` };
}

/** The same of an image whose system is installed. */
export function noticeOfImage(
  image: Image | undefined,
  connected: boolean,
): Notice | undefined {
  if (image === undefined)
    return {
      text: l10n.t("This installation is gone, and its screen with it."),
    };
  const { name, state } = image;
  if (state.kind === "working" && state.screen !== undefined)
    return connected ? undefined : connecting(name);
  const why = state.kind === "failed" ? `: ${state.failure.message}` : "";
  return { text: `${name}: ${imageStateText(state)}${why}` };
}

const connecting = (name: string): Notice => ({
  text: l10n.t("Connecting to the screen of {0}…", name),
});
