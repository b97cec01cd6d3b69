import { basename } from "node:path";
import { l10n, type QuickPickItem, Uri, window } from "vscode";
import type { CommandsOf } from "../window/commandIds.ts";
import type { Call } from "../helper/connection.ts";
import { stays } from "../window/stays.ts";
import { currentWorkspace, localFolder, placeIn } from "./folders.ts";
import { fetchClone, type OpenDeps, workspaceOpener } from "./open.ts";

/** Several VMs of one repository, and repositories that are not on this computer yet. */
export function branchCommands(
  deps: OpenDeps & { readonly loaded: () => Promise<void> },
): CommandsOf<
  "guesthouse.openBranchInMachine" | "guesthouse.cloneRepositoryInMachine"
> {
  const { call, workspaces, settings, loaded } = deps;
  const upAndOpen = workspaceOpener(deps);

  return {
    async "guesthouse.openBranchInMachine"(clicked) {
      await loaded();
      const named = placeIn(clicked);
      if (named?.branch !== undefined) {
        await upAndOpen(named, "currentWindow");
        return;
      }
      // In a window in a VM: of the folder that this VM was made of.
      const root = rootOf(clicked);
      const isHere = root instanceof Uri && root.scheme === "file";
      const here = isHere ? undefined : currentWorkspace(workspaces);
      const folder =
        here?.folder ??
        (await localFolder(root, {
          title: l10n.t("Repository to open a branch of"),
          openLabel: l10n.t("Choose Branch"),
        }));
      if (folder === undefined) return;
      const branch = await chooseBranch(call, folder);
      if (branch === undefined) return;
      const isCloned = here?.url !== undefined;
      await upAndOpen({ folder, branch, isCloned }, settings().openIn);
    },

    async "guesthouse.cloneRepositoryInMachine"() {
      const url = await askUrl();
      if (url === undefined) return;
      const cloned = await fetchClone(deps, url);
      await upAndOpen({ ...cloned, isCloned: true }, settings().openIn);
    },
  };
}

/** The explorer hands over a folder, the source control view a repository with its root. */
function rootOf(clicked: unknown): unknown {
  return typeof clicked === "object" &&
    clicked !== null &&
    "rootUri" in clicked &&
    clicked.rootUri instanceof Uri
    ? clicked.rootUri
    : clicked;
}

/** A branch of the folder's repository, one that is made now, or undefined when the user leaves. */
async function chooseBranch(
  call: Call,
  folder: string,
): Promise<string | undefined> {
  const { branches, current } = await call("branches.list", { folder });
  const others = branches.filter((branch) => branch !== current);
  const items: (QuickPickItem & { readonly branch?: string })[] = [
    ...(current !== undefined && branches.includes(current)
      ? [
          {
            label: `$(git-branch) ${current}`,
            description: l10n.t("checked out on this computer"),
            branch: current,
          },
        ]
      : []),
    ...others.map((branch) => ({ label: `$(git-branch) ${branch}`, branch })),
    { label: l10n.t("$(add) New Branch…") },
  ];
  const picked = await window.showQuickPick(items, {
    title: l10n.t("Open a Branch of {0} in Another VM", basename(folder)),
    placeHolder: l10n.t("The VM gets the branch as it was committed last"),
  });
  if (picked === undefined || picked.branch !== undefined)
    return picked?.branch;
  const branch = await window.showInputBox({
    title: l10n.t("New Branch"),
    prompt: l10n.t(
      "It is made where the folder is now; nothing is checked out here",
    ),
    ...stays,
  });
  if (branch === undefined || branch === "") return undefined;
  await call("branches.create", { folder, branch });
  return branch;
}

async function askUrl(): Promise<string | undefined> {
  const { repositoryUrlSchema } = await import("../../protocol/branches.ts");
  const url = await window.showInputBox({
    title: l10n.t("Clone Repository in VM"),
    prompt: l10n.t(
      "Cloned by this computer's git, with its credentials; they don't go into the VM",
    ),
    placeHolder: "https://example.com/me/project.git",
    ...stays,
    validateInput: (text) =>
      text === "" || repositoryUrlSchema.safeParse(text.trim()).success
        ? undefined
        : l10n.t(
            "https://…, ssh://…, user@host:path or file:///…, without a password",
          ),
  });
  return url === undefined || url.trim() === "" ? undefined : url.trim();
}
