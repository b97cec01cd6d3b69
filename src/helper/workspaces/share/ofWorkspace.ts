import type { ParsedParams } from "../../../protocol/contract.ts";
import type { FilesWay } from "../../../protocol/filesWays.ts";
import type { Failure } from "../../../protocol/failure.ts";
import type { WorkspaceRecord } from "../../store/workspaceRecords.ts";
import type {
  WorkspaceEntry,
  KnownWorkspaces,
} from "../known/knownWorkspaces.ts";
import type { FilesWish } from "../known/filesWay.ts";
import { filesWayOf } from "../known/filesWay.ts";
import type { ShareSpec } from "./mountShare.ts";

/** What a workspace has mounted in its VM; undefined where it was copied. Pure. */
export const shareOf = (
  made: WorkspaceRecord["made"],
): ShareSpec | undefined =>
  made?.share === undefined
    ? undefined
    : { ...made.share, target: made.target };

/** All that a workspace's VM has mounted: the workspace itself, and what its containers see beside it. Pure. */
export function sharesOf(made: WorkspaceRecord["made"]): ShareSpec[] {
  const own = shareOf(made);
  return [...(own === undefined ? [] : [own]), ...(made?.hostShares ?? [])];
}

/** What counts when a workspace is brought up: by the request, and by the VM that is kept, `known`. Pure. */
export function filesWish(
  {
    files,
    defaults,
  }: Pick<ParsedParams<"workspaces.up">, "files" | "defaults">,
  known: WorkspaceEntry | undefined,
  registry: Pick<KnownWorkspaces, "machineOf">,
): FilesWish {
  const made: FilesWay | undefined =
    known?.record.made === undefined || registry.machineOf(known) === undefined
      ? undefined
      : filesWayOf(known.record.made);
  return {
    wanted: files,
    usual: defaults?.files,
    made,
    platform: process.platform,
  };
}

const beginning = "A folder is not mounted in its VM: ";

/** What the keeper of the mounts asks of the workspaces. */
export interface ShareRoom {
  /** The folders that this machine is to have mounted. */
  sharesOf(machine: string): ShareSpec[];
  /** A mount does not come about, and is tried again; undefined: all have come about. */
  noteShare(machine: string, failure: Failure | undefined): void;
}

export const shareRoom = (
  registry: Pick<KnownWorkspaces, "ofMachine" | "noteMishap">,
): ShareRoom => ({
  sharesOf: (machine) => sharesOf(registry.ofMachine(machine)?.record.made),
  noteShare: (machine, failure) => noteShare(machine, failure, registry),
});

/** What else went wrong in the workspace stays. */
function noteShare(
  machine: string,
  failure: Failure | undefined,
  registry: Pick<KnownWorkspaces, "ofMachine" | "noteMishap">,
): void {
  const entry = registry.ofMachine(machine);
  if (entry === undefined) return;
  const { mishap } = entry;
  if (failure === undefined && mishap?.startsWith(beginning) !== true) return;
  const told =
    failure === undefined ? undefined : `${beginning}${failure.message}`;
  if (told === mishap) return;
  registry.noteMishap(entry, told, { tell: true });
}
