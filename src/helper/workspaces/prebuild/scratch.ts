import type { UpStage } from "../../../protocol/workspaces.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";
import type {
  OwnedEntry,
  UpWorkspaces,
  WorkspaceEntry,
} from "../known/knownWorkspaces.ts";

/** A workspace that nobody keeps, for the `up` in a prebuild's machine: nothing of it is written, only its stages are told. */
export function scratchWorkspace(
  {
    id,
    folder,
    name,
    logPath,
  }: {
    readonly id: string;
    readonly folder: string;
    readonly name: string;
    readonly logPath: string;
  },
  machines: Pick<MachineVerbs, "list">,
  onStage: (stage: UpStage) => void,
): { readonly entry: WorkspaceEntry; readonly workspaces: UpWorkspaces } {
  const entry: OwnedEntry = {
    record: { format: 1, id, folder, title: name, name, alias: name },
    working: undefined,
    revision: 0,
  };
  const rewrite: UpWorkspaces["rewrite"] = (_, change) => {
    entry.record = { ...entry.record, ...change };
    return Promise.resolve();
  };
  const workspaces: UpWorkspaces = {
    machineOf: ({ record }) =>
      machines.list().find((each) => each.id === record.made?.machine),
    rewrite,
    enter: (_, stage) => onStage(stage),
    leave: rewrite,
    noteMishap: () => undefined,
    noteOutdated: () => undefined,
    view: ({ record }) => ({
      id,
      folder,
      title: record.title,
      alias: record.alias,
      state: { kind: "ready" },
      logPath,
      revision: 0,
    }),
  };
  return { entry, workspaces };
}
