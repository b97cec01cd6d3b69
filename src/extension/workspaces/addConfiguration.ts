import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { l10n, type QuickPickItem, Uri, window, workspace } from "vscode";
import { given } from "../../base/given.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import type { Call } from "../helper/connection.ts";
import type { Settings } from "../window/settings.ts";
import { stays } from "../window/stays.ts";
import { localFolder } from "./folders.ts";

/** What a new file says of its VM. */
export interface FirstConfiguration {
  readonly image: string;
  readonly cpus?: number;
  readonly memory?: string;
}

/** *Add VM Configuration Files*: a devcontainer.json to begin with; one that is there is opened, never written over. */
export function configurationCommands(
  call: Call,
  settings: () => Settings,
): CommandsOf<"guesthouse.addConfiguration"> {
  return {
    async "guesthouse.addConfiguration"(clicked) {
      const folder = await localFolder(clicked, {
        title: l10n.t("Folder to add VM configuration files to"),
        openLabel: l10n.t("Add Configuration"),
      });
      if (folder === undefined) return;
      const { configs } = await call("workspaces.configs", { folder });
      const present = configs[0]?.path;
      if (present !== undefined) {
        const open = l10n.t("Open It");
        const answer = await window.showInformationMessage(
          l10n.t(
            "{0} is there already. What a VM needs beyond it goes under customizations.guesthouse.",
            present,
          ),
          open,
        );
        if (answer === open) await show(join(folder, present));
        return;
      }
      const first = await ask(call, settings().image);
      if (first === undefined) return;
      const path = join(folder, ".devcontainer", "devcontainer.json");
      await mkdir(join(folder, ".devcontainer"), { recursive: true });
      // Somebody may have written one while the questions stood.
      await writeFile(path, configurationText(first), { flag: "wx" });
      await show(path);
    },
  };
}

const show = async (path: string): Promise<void> => {
  const document = await workspace.openTextDocument(Uri.file(path));
  await window.showTextDocument(document);
};

async function ask(
  call: Call,
  usualImage: string,
): Promise<FirstConfiguration | undefined> {
  const title = l10n.t("Add VM Configuration Files");
  const { images } = await call("images.list", {});
  const names = images.map(({ name }) => name);
  const image = await window.showQuickPick(
    [usualImage, ...names.filter((name) => name !== usualImage)],
    { title, placeHolder: l10n.t("Image of the VM"), ...stays },
  );
  if (image === undefined) return undefined;
  const sizes: (QuickPickItem & Omit<FirstConfiguration, "image">)[] = [
    {
      label: l10n.t("Default size"),
      description: l10n.t("what the settings say, on each computer"),
    },
    ...[
      { cpus: 2, gib: 4 },
      { cpus: 4, gib: 8 },
      { cpus: 8, gib: 16 },
    ].map(({ cpus, gib }) => ({
      label: l10n.t("{0} CPUs, {1} GB", cpus, gib),
      cpus,
      memory: `${String(gib)}gb`,
    })),
  ];
  const size = await window.showQuickPick(sizes, {
    title,
    placeHolder: l10n.t("Size of the VM"),
    ...stays,
  });
  if (size === undefined) return undefined;
  const { cpus, memory } = size;
  return {
    image,
    ...given({ cpus, memory }),
  };
}

/** The file's text; every property is one that Guesthouse knows. Pure. */
export function configurationText({
  image,
  cpus,
  memory,
}: FirstConfiguration): string {
  const size = {
    ...given({ cpus, memory }),
  };
  const file = {
    image,
    ...(Object.keys(size).length === 0
      ? {}
      : { customizations: { guesthouse: size } }),
    forwardPorts: [],
    postCreateCommand: "",
  };
  return `// A VM of its own for this folder. Format: https://containers.dev/implementors/json_reference\n${JSON.stringify(file, null, 2)}\n`;
}
