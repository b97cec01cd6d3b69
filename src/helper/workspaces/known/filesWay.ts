import {
  canShareFrom,
  type FilesWay,
  opensMore,
  sharedFromLinuxOnly,
} from "../../../protocol/filesWays.ts";
import { refused } from "../../../protocol/failure.ts";

export interface FilesWish {
  /** The user's word for this very `up`. */
  readonly wanted: FilesWay | undefined;
  /** The user's word for all folders. */
  readonly usual: FilesWay | undefined;
  /** How the VM that is there has its files. */
  readonly made: FilesWay | undefined;
  readonly platform: NodeJS.Platform;
}

export interface ChosenFiles {
  readonly way: FilesWay;
  readonly note?: string;
}

/**
 * How a folder's files come into its VM. What a file of the folder asks for opens nothing: a guest that writes to this
 * computer's folder, or reads what git ignores in there, is the user's to allow. Refuses with `workspaces.consentNeeded`
 * and `workspaces.notSupported`. Pure.
 */
export function chooseFiles(
  { wanted, usual = "copy", made, platform }: FilesWish,
  /** What the file asks for. */
  asked: FilesWay | undefined,
  /** A branch's files are laid out for the copy and then gone. */
  isBranch: boolean,
): ChosenFiles {
  if (made !== undefined)
    return wanted === undefined || wanted === made
      ? { way: made }
      : {
          way: made,
          note: `The VM has its files by ${titles[made]}; only a rebuild changes that.`,
        };
  const obstacle = isBranch
    ? "A branch that is not checked out has no folder on this computer that could be mounted"
    : canShareFrom(platform)
      ? undefined
      : sharedFromLinuxOnly;
  if (wanted !== undefined) {
    if (wanted === "copy" || obstacle === undefined) return { way: wanted };
    throw refused("workspaces.notSupported", `${obstacle}.`, {
      remedy: "Bring it up with --files copy.",
    });
  }
  const way = asked ?? usual;
  if (way === "copy") return { way };
  if (obstacle !== undefined)
    return { way: "copy", note: `${obstacle}: its files are copied.` };
  if (asked === undefined || !opensMore(asked, usual)) return { way };
  throw refused(
    "workspaces.consentNeeded",
    `The configuration wants this folder mounted in the VM${way === "share" ? ", where programs can change its files on this computer, those in .git that git runs included" : ", with all that git ignores in it"}.`,
    {
      remedy: `--files ${way} allows it${way === "share" ? ", --files share-readonly lets the VM read only" : ""}, --files copy goes on with a copy.`,
    },
  );
}

/** How a VM has its files. Pure. */
export const filesWayOf = ({
  share,
}: {
  readonly share?: { readonly readonly: boolean } | undefined;
}): FilesWay =>
  share === undefined ? "copy" : share.readonly ? "share-readonly" : "share";

const titles: Readonly<Record<FilesWay, string>> = {
  copy: "a copy",
  share: "a live mount",
  "share-readonly": "a live mount that it can't write to",
};
