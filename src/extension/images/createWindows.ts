import { l10n, type QuickPickItem, type Uri, window } from "vscode";
import type { CommandsOf } from "../commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { withViewProgress } from "../progress.ts";
import { imagesViewId } from "./tree.ts";

/** Windows from the user's ISO: what the ISO has is asked for, the rest is the helper's. */
export function windowsImageCommands(
  call: Call,
): CommandsOf<"guesthouse.createWindowsImage"> {
  return {
    async "guesthouse.createWindowsImage"() {
      const title = l10n.t("Create Windows Image");
      const iso = await openIso(title, l10n.t("Installation ISO of Windows"));
      if (iso === undefined) return;
      const found = await withViewProgress(imagesViewId, () =>
        call("images.inspectIso", { path: iso.fsPath }),
      );
      const edition = await pick(
        title,
        l10n.t("Edition"),
        found.editions
          .toSorted(
            (a, b) =>
              Number(b.index === found.edition) -
              Number(a.index === found.edition),
          )
          .map((one) => ({
            label: one.name,
            description: one.version ?? "",
            value: one,
          })),
      );
      if (edition === undefined) return;
      const language = await pick(
        title,
        l10n.t("Language"),
        edition.languages.map((one) => ({ label: one, value: one })),
      );
      if (language === undefined) return;
      const drivers = await openIso(
        title,
        l10n.t("ISO of the virtio drivers (virtio-win.iso)"),
      );
      if (drivers === undefined) return;
      if (!(await agreed(edition.name, language))) return;
      // It goes on in the helper without this window; the Images view shows its stages, and ends it.
      await withViewProgress(imagesViewId, () =>
        about({ kind: "image", id: edition.name }, () =>
          call("images.installWindows", {
            iso: iso.fsPath,
            drivers: drivers.fsPath,
            edition: String(edition.index),
            language,
          }),
        ),
      );
    },
  };
}

async function openIso(title: string, label: string): Promise<Uri | undefined> {
  const [file] =
    (await window.showOpenDialog({
      title: `${title}: ${label}`,
      openLabel: l10n.t("Choose"),
      filters: {
        [label]: ["iso"],
        [l10n.t("All files")]: ["*"],
      },
    })) ?? [];
  return file;
}

/** What there is only one of is not asked for. */
async function pick<T>(
  title: string,
  placeHolder: string,
  items: readonly (QuickPickItem & { readonly value: T })[],
): Promise<T | undefined> {
  const [only, second] = items;
  if (second === undefined) return only?.value;
  return (await window.showQuickPick(items, { title, placeHolder }))?.value;
}

async function agreed(edition: string, language: string): Promise<boolean> {
  const button = l10n.t("Install");
  const answer = await window.showInformationMessage(
    l10n.t(
      "Install {0} ({1}) in a VM and make an image of it?",
      edition,
      language,
    ),
    {
      modal: true,
      detail: l10n.t(
        "It takes an hour or more and goes on when this window is closed. It is unverified on Windows: those who wrote it had no Windows to try it with. Where it doesn't end well, it says where its log and the last picture of its screen are.",
      ),
    },
    button,
  );
  return answer === button;
}
