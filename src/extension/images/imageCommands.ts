import { basename } from "node:path";
import { l10n, window } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import type { ShowMarkdown } from "../window/documents.ts";
import { about } from "../failures/about.ts";
import { presentFailure } from "../failures/present.ts";
import { refuse } from "../failures/raise.ts";
import type { Call } from "../helper/connection.ts";
import { withViewProgress } from "../window/progress.ts";
import type { Records } from "../helper/records.ts";
import { bytesText } from "../rows/quantities.ts";
import { chooseImage } from "./choose.ts";
import { reportMarkdown } from "./report.ts";
import { imagesViewId } from "../window/viewIds.ts";

export interface ImageCommandDeps {
  readonly call: Call;
  readonly images: Records<Image>;
  readonly loaded: () => Promise<void>;
  readonly showMarkdown: ShowMarkdown;
}

export function imageCommands(
  deps: ImageCommandDeps,
): CommandsOf<
  | "guesthouse.pullImage"
  | "guesthouse.updateImage"
  | "guesthouse.importImage"
  | "guesthouse.validateImage"
  | "guesthouse.deleteImage"
  | "guesthouse.showImageFailure"
> {
  const { call } = deps;
  return {
    async "guesthouse.pullImage"(name) {
      const title = l10n.t("Get Image");
      const image = await choose(deps, name, title, ["available", "failed"]);
      if (image !== undefined) await pull(call, image);
    },

    async "guesthouse.updateImage"(name) {
      const title = l10n.t("Fetch Image Again");
      const image = await choose(deps, name, title, ["ready"]);
      if (image !== undefined) await pull(call, image, true);
    },

    "guesthouse.importImage": () => importDisk(call),

    async "guesthouse.validateImage"(name) {
      const title = l10n.t("Validate Image");
      const image = await choose(deps, name, title, ["ready"]);
      if (image !== undefined) await validate(deps, image);
    },

    async "guesthouse.deleteImage"(name) {
      const title = l10n.t("Delete Image");
      const image = await choose(deps, name, title, ["ready", "failed"]);
      if (image !== undefined) await deleteImage(call, image);
    },

    async "guesthouse.showImageFailure"(name) {
      const title = l10n.t("Show Why an Image Failed");
      const image = await choose(deps, name, title, ["failed"]);
      if (image?.state.kind !== "failed") return;
      void presentFailure(
        image.state.failure,
        { kind: "image", id: image.name },
        async () => {
          await pull(call, image);
        },
      );
    },
  };
}

/** The image of that name, or what the user picks among those of these kinds. */
async function choose(
  { images, loaded }: ImageCommandDeps,
  name: unknown,
  title: string,
  kinds: readonly Image["state"]["kind"][],
): Promise<Image | undefined> {
  await loaded();
  if (typeof name !== "string")
    return chooseImage(images, title, ({ state }) =>
      kinds.includes(state.kind),
    );
  return (
    images.get(name) ??
    refuse("images.unknown", l10n.t("There is no image called {0}.", name))
  );
}

const pull = (call: Call, { name }: Image, force = false): Promise<unknown> =>
  withViewProgress(imagesViewId, () =>
    about({ kind: "image", id: name }, () =>
      call("images.pull", { name, force }),
    ),
  );

async function importDisk(call: Call): Promise<void> {
  const [file] =
    (await window.showOpenDialog({
      title: l10n.t("Import Disk Image"),
      openLabel: l10n.t("Import"),
      filters: {
        [l10n.t("Disk images")]: ["qcow2", "img", "raw", "vmdk", "vhdx", "vdi"],
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
}

async function validate(
  { call, showMarkdown }: ImageCommandDeps,
  image: Image,
): Promise<void> {
  const { name } = image;
  const { report } = await withViewProgress(imagesViewId, () =>
    about({ kind: "image", id: name }, () => call("images.validate", { name })),
  );
  await showMarkdown(
    l10n.t("Validation of {0}", name),
    reportMarkdown(image, report),
  );
}

async function deleteImage(
  call: Call,
  { name, sizeBytes }: Image,
): Promise<void> {
  const button = l10n.t("Delete");
  const answer = await window.showWarningMessage(
    l10n.t("Delete the image {0}?", name),
    {
      modal: true,
      detail:
        sizeBytes === undefined
          ? l10n.t("It can be fetched or imported again.")
          : l10n.t(
              "It frees {0} and can be fetched or imported again.",
              bytesText(sizeBytes),
            ),
    },
    button,
  );
  if (answer !== button) return;
  await about({ kind: "image", id: name }, () =>
    call("images.delete", { name }),
  );
}
