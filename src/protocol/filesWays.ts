// Without a schema: the extension needs this before it speaks with the helper.

/**
 * How a folder's files come into its VM: as a copy, or mounted live, for reading only or for writing too. Each lets the VM do
 * more to the folder on this computer than the one before.
 */
export const filesWays = ["copy", "share-readonly", "share"] as const;
export type FilesWay = (typeof filesWays)[number];

/** Does `way` let the VM do more than `other`? Pure. */
export const opensMore = (way: FilesWay, other: FilesWay): boolean =>
  filesWays.indexOf(way) > filesWays.indexOf(other);

/** Can a computer of this system share its folders? Pure. */
export const canShareFrom = (platform: NodeJS.Platform): boolean =>
  platform === "linux";

/** Why not, without a full stop. */
export const sharedFromLinuxOnly =
  "Folders are mounted live from Linux computers only, so far";
