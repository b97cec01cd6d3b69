import { basename } from "node:path";
import { l10n, type QuickPickItem, type Uri, window } from "vscode";
import type { Params } from "../../protocol/contract.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { stays } from "../window/stays.ts";
import { withViewProgress } from "../window/progress.ts";
import { imagesViewId } from "../window/viewIds.ts";

/** Windows from the user's ISO, or on a disk of theirs: what is to be known is asked for, the rest is the helper's. */
export function windowsImageCommands(
  call: Call,
): CommandsOf<"guesthouse.createWindowsImage"> {
  return {
    async "guesthouse.createWindowsImage"() {
      const title = l10n.t("Create Windows Image");
      const from = await pick(title, l10n.t("Where Windows comes from"), [
        {
          label: l10n.t("An installation ISO"),
          detail: l10n.t("Windows is installed in a VM."),
          value: fromIso,
        },
        {
          label: l10n.t("A disk that has it"),
          detail: l10n.t(
            "It is started in a VM and prepared by the same steps. QEMU's guest agent or an SSH server must run in it.",
          ),
          value: fromDisk,
        },
        {
          label: l10n.t("A disk, taken as it is"),
          detail: l10n.t(
            "It isn't started, and nothing in it is verified. QEMU's guest agent and an SSH server must run in it.",
          ),
          value: asItIs(false),
        },
        {
          label: l10n.t("A generalized disk, taken as it is"),
          detail: l10n.t(
            "Each VM of it goes through its own first start (sysprep), where cloudbase-init must run in it.",
          ),
          value: asItIs(true),
        },
      ]);
      await from?.(call, title);
    },
  };
}

async function fromIso(call: Call, title: string): Promise<void> {
  const iso = await openFile(title, l10n.t("Installation ISO of Windows"), [
    "iso",
  ]);
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
          Number(b.index === found.edition) - Number(a.index === found.edition),
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
  const drivers = await openDrivers(title);
  if (drivers === undefined) return;
  const question = l10n.t(
    "Install {0} ({1}) in a VM and make an image of it?",
    edition.name,
    language,
  );
  if (!(await agreed(question, l10n.t("Install")))) return;
  await inView(edition.name, () =>
    call("images.installWindows", {
      iso: iso.fsPath,
      drivers: drivers.fsPath,
      edition: String(edition.index),
      language,
    }),
  );
}

async function fromDisk(call: Call, title: string): Promise<void> {
  const disk = await openDisk(title);
  if (disk === undefined) return;
  const user = await account(
    title,
    l10n.t("Administrator's account in it; it is made where there is none"),
  );
  if (user === undefined) return;
  const way = await pick(title, l10n.t("How it is reached"), waysIn());
  const login = await way?.(title);
  if (login === undefined) return;
  const drivers = await openDrivers(title);
  if (drivers === undefined) return;
  const name = basename(disk.fsPath);
  const question = l10n.t(
    "Start {0} in a VM, prepare it and make an image of it?",
    name,
  );
  if (!(await agreed(question, l10n.t("Prepare")))) return;
  await inView(name, () =>
    call("images.prepareWindows", {
      disk: disk.fsPath,
      drivers: drivers.fsPath,
      user,
      ...login,
    }),
  );
}

type Login = Pick<Params<"images.prepareWindows">, "login">;

/** Nobody types a secret here: its file is named, which only the helper reads. */
function waysIn(): (QuickPickItem & {
  readonly value: (title: string) => Promise<Login | undefined>;
})[] {
  const bySsh =
    (what: string, as: (path: string) => Login["login"]) =>
    async (title: string): Promise<Login | undefined> => {
      const file = await openFile(title, what);
      return file && { login: as(file.fsPath) };
    };
  return [
    {
      label: l10n.t("By QEMU's guest agent"),
      value: () => Promise.resolve({}),
    },
    {
      label: l10n.t("By SSH, with a private key"),
      value: bySsh(l10n.t("Private key, without a passphrase"), (keyFile) => ({
        keyFile,
      })),
    },
    {
      label: l10n.t("By SSH, with a password"),
      value: bySsh(
        l10n.t("File whose first line is the password"),
        (passwordFile) => ({ passwordFile }),
      ),
    },
  ];
}

const asItIs =
  (generalized: boolean) =>
  async (call: Call, title: string): Promise<void> => {
    const disk = await openDisk(title);
    if (disk === undefined) return;
    const user = await account(title, l10n.t("Administrator's account in it"));
    if (user === undefined) return;
    await inView(basename(disk.fsPath), () =>
      call("images.import", {
        ...{ path: disk.fsPath, os: "windows", user },
        ...(generalized ? { generalized } : {}),
      }),
    );
  };

/** It goes on in the helper without this window; the Images view shows its stages, and ends it. */
const inView = (id: string, work: () => Promise<unknown>): Promise<unknown> =>
  withViewProgress(imagesViewId, () => about({ kind: "image", id }, work));

const openDrivers = (title: string): Promise<Uri | undefined> =>
  openFile(title, l10n.t("ISO of the virtio drivers (virtio-win.iso)"), [
    "iso",
  ]);

const openDisk = (title: string): Promise<Uri | undefined> =>
  openFile(title, l10n.t("Disk with Windows"), [
    ...["qcow2", "img", "raw", "vmdk", "vhdx", "vdi"],
  ]);

const account = async (
  title: string,
  prompt: string,
): Promise<string | undefined> =>
  (
    await window.showInputBox({ title, prompt, value: "dev", ...stays })
  )?.trim() || undefined;

async function openFile(
  title: string,
  label: string,
  extensions?: string[],
): Promise<Uri | undefined> {
  const [file] =
    (await window.showOpenDialog({
      title: `${title}: ${label}`,
      openLabel: l10n.t("Choose"),
      filters: {
        ...(extensions === undefined ? {} : { [label]: extensions }),
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
  return (await window.showQuickPick(items, { title, placeHolder, ...stays }))
    ?.value;
}

async function agreed(question: string, button: string): Promise<boolean> {
  const answer = await window.showInformationMessage(
    question,
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
