import { l10n, type QuickPickItem, window } from "vscode";
import { given } from "../../base/given.ts";
import type { Image } from "../../protocol/images.ts";
import type { Template } from "../../protocol/templates.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import { refuse } from "../failures/raise.ts";
import type { Call } from "../helper/connection.ts";
import { chooseImage } from "../images/choose.ts";
import { imagesViewId } from "../window/viewIds.ts";
import {
  type Report,
  withCancellableProgress,
  withViewProgress,
} from "../window/progress.ts";
import { bytesText, durationText } from "../rows/quantities.ts";
import type { Records } from "../helper/records.ts";
import type { Settings } from "../window/settings.ts";
import { inOrder, makingText, templateRow } from "../rows/template.ts";
import { templateOfKey } from "../rows/keys.ts";

export interface TemplateCommandDeps {
  readonly call: Call;
  readonly images: Records<Image>;
  readonly templates: Records<Template>;
  readonly settings: () => Settings;
  readonly loaded: () => Promise<void>;
}

/** Commands on warm templates. */
export function templateCommands(
  deps: TemplateCommandDeps,
): CommandsOf<"guesthouse.warmUpImage" | "guesthouse.deleteTemplate"> {
  const { call, images, templates, settings, loaded } = deps;
  return {
    async "guesthouse.warmUpImage"(name) {
      await loaded();
      const image = await chosenImage(name, images);
      if (image === undefined) return;
      await withCancellableProgress(
        l10n.t("Warming up {0}", image),
        (report, signal) =>
          reporting(templates, image, report, () =>
            about({ kind: "image", id: image }, () =>
              call("templates.warmUp", shapeOf(image, settings()), signal),
            ),
          ),
      );
    },

    async "guesthouse.deleteTemplate"(key) {
      await loaded();
      const template = await chosenTemplate(key, templates);
      if (template === undefined) return;
      const button = l10n.t("Delete");
      const answer = await window.showWarningMessage(
        l10n.t("Delete the warm template of {0}?", template.image.name),
        {
          modal: true,
          detail: l10n.t(
            "It takes {0} and can be made again; until then new VMs of this shape boot. VMs that came of it are kept.",
            bytesText(template.sizeBytes),
          ),
        },
        button,
      );
      if (answer !== button) return;
      await withViewProgress(imagesViewId, () =>
        about({ kind: "image", id: template.image.name }, () =>
          call("templates.delete", { id: template.id }),
        ),
      );
    },
  };
}

/** The shape that *Create VM* would ask for: another one would need another template. */
const shapeOf = (
  image: string,
  { cpus, memoryMiB, diskGiB }: Settings,
): {
  image: string;
  cpus?: number;
  memoryMiB?: number;
  diskGiB?: number;
} => ({
  image,
  ...given({ cpus, memoryMiB, diskGiB }),
});

async function chosenImage(
  name: unknown,
  images: Records<Image>,
): Promise<string | undefined> {
  if (typeof name === "string") return name;
  const picked = await chooseImage(
    images,
    l10n.t("Warm Up Image"),
    ({ state }) => state.kind === "ready",
  );
  return picked?.name;
}

async function chosenTemplate(
  key: unknown,
  templates: Records<Template>,
): Promise<Template | undefined> {
  if (typeof key === "string")
    return (
      templates.get(templateOfKey(key) ?? key) ??
      refuse("templates.unknown", l10n.t("This template is gone already."))
    );
  const items = templates
    .all()
    .toSorted(inOrder)
    .map((template): QuickPickItem & { template: Template } => ({
      label: template.image.name,
      description: templateRow(template, Date.now()).description,
      template,
    }));
  if (items.length === 0)
    return refuse("templates.unknown", l10n.t("There is no warm template."));
  const title = l10n.t("Delete Template");
  return (await window.showQuickPick(items, { title }))?.template;
}

/** Reports the stage of the image's template that is being made, with its age, while `work` goes on. */
async function reporting<T>(
  templates: Records<Template>,
  image: string,
  report: Report,
  work: () => Promise<T>,
): Promise<T> {
  const tell = (): void => {
    for (const { image: of, state } of templates.all())
      if (of.name === image && state.kind === "making")
        report(
          [
            makingText(state.stage),
            durationText(Date.now() - state.sinceMs),
          ].join(" · "),
        );
  };
  const timer = setInterval(tell, 1_000);
  const stopListening = templates.onDidChange(tell);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    stopListening();
  }
}
