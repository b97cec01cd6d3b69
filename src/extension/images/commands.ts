import { basename } from "node:path";
import { l10n, window } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { CommandsOf } from "../commandIds.ts";
import type { ShowMarkdown } from "../documents.ts";
import { about } from "../failures/about.ts";
import { presentFailure } from "../failures/present.ts";
import { refuse } from "../failures/raise.ts";
import type { Call } from "../helper/connection.ts";
import { withViewProgress } from "../progress.ts";
import type { Records } from "../records.ts";
import { bytesText } from "../quantities.ts";
import { chooseImage } from "./choose.ts";
import { reportMarkdown } from "./report.ts";
import { imagesViewId } from "./tree.ts";

export function imageCommands(deps: {
  readonly call: Call;
  readonly images: Records<Image>;
  readonly loaded: () => Promise<void>;
  readonly showMarkdown: ShowMarkdown;
}): CommandsOf<
  | "guesthouse.pullImage"
  | "guesthouse.updateImage"
  | "guesthouse.importImage"
  | "guesthouse.validateImage"
  | "guesthouse.deleteImage"
  | "guesthouse.showImageFailure"
> {
  const { call, images, loaded, showMarkdown } = deps;

  const choose = async (
    name: unknown,
    title: string,
    kinds: readonly Image["state"]["kind"][],
  ): Promise<Image | undefined> => {
    await loaded();
    if (typeof name !== "string")
      return chooseImage(images, title, ({ state }) =>
        kinds.includes(state.kind),
      );
    return (
      images.get(name) ??
      refuse("images.unknown", l10n.t("There is no image called {0}.", name))
    );
  };

  const pull = ({ name }: Image, force = false): Promise<unknown> =>
    withViewProgress(imagesViewId, () =>
      about({ kind: "image", id: name }, () =>
        call("images.pull", { name, force }),
      ),
    );

  return {
    async "guesthouse.pullImage"(name) {
      const title = l10n.t("Get Image");
      const image = await choose(name, title, ["available", "failed"]);
      if (image !== undefined) await pull(image);
    },

    async "guesthouse.updateImage"(name) {
      const image = await choose(name, l10n.t("Fetch Image Again"), ["ready"]);
      if (image !== undefined) await pull(image, true);
    },

    async "guesthouse.importImage"() {
      const [file] =
        (await window.showOpenDialog({
          title: l10n.t("Import Disk Image"),
          openLabel: l10n.t("Import"),
          filters: {
            [l10n.t("Disk images")]: [
              "qcow2",
              "img",
              "raw",
              "vmdk",
              "vhdx",
              "vdi",
            ],
            [l10n.t("All files")]: ["*"],
          },
        })) ?? [];
      if (file === undefined) return;
      const path = file.fsPath;
      await withViewProgress(imagesViewId, () =>
        about({ kind: "image", id: basename(path) }, () =>
          call("images.import", { path }),
        ),
      );
    },

    async "guesthouse.validateImage"(name) {
      const image = await choose(name, l10n.t("Validate Image"), ["ready"]);
      if (image === undefined) return;
      const { report } = await withViewProgress(imagesViewId, () =>
        about({ kind: "image", id: image.name }, () =>
          call("images.validate", { name: image.name }),
        ),
      );
      await showMarkdown(
        l10n.t("Validation of {0}", image.name),
        reportMarkdown(image, report),
      );
    },

    async "guesthouse.deleteImage"(name) {
      const title = l10n.t("Delete Image");
      const image = await choose(name, title, ["ready", "failed"]);
      if (image === undefined) return;
      const button = l10n.t("Delete");
      const size = image.sizeBytes;
      const answer = await window.showWarningMessage(
        l10n.t("Delete the image {0}?", image.name),
        {
          modal: true,
          detail:
            size === undefined
              ? l10n.t("It can be fetched or imported again.")
              : l10n.t(
                  "It frees {0} and can be fetched or imported again.",
                  bytesText(size),
                ),
        },
        button,
      );
      if (answer !== button) return;
      await about({ kind: "image", id: image.name }, () =>
        call("images.delete", { name: image.name }),
      );
    },

    async "guesthouse.showImageFailure"(name) {
      const title = l10n.t("Show Why an Image Failed");
      const image = await choose(name, title, ["failed"]);
      if (image?.state.kind !== "failed") return;
      void presentFailure(
        image.state.failure,
        { kind: "image", id: image.name },
        async () => {
          await pull(image);
        },
      );
    },
  };
}
