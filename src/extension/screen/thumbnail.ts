import { l10n } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { Call } from "../helper/connection.ts";

/** The editor cuts a tooltip's text after 100,000 characters; a desktop with a photograph on it has more. */
const longestPicture = 80_000;

/** Markdown for the end of a tooltip: what the machine's screen shows now; empty where it has none. */
export const thumbnails =
  (call: Call) =>
  async ({ id, name, runtime }: Machine): Promise<string> => {
    if (runtime?.screenSocket === undefined) return "";
    // A machine that ends while it is asked has no picture; its tooltip does without.
    const png = await call("machines.screenshot", { machine: id }).then(
      (answer) => answer.png,
      () => "",
    );
    return thumbnailMarkdown(png, name);
  };

export const thumbnailMarkdown = (png: string, name: string): string =>
  png === "" || png.length > longestPicture
    ? ""
    : `\n\n![${l10n.t("Screen of {0}", name)}](data:image/png;base64,${png}|width=320)`;
