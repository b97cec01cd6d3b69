/*
 * The room of folders and their VMs. It owns the clones and what is under way, and gives them with the entries of what
 * was brought up to the verbs that need it (`up/`, `down/`, `branches/`, `prebuild/`). Whatever changes a workspace holds its
 * lock (`known/knownWorkspaces.ts`). `daemon/rooms/workspaces.ts` makes it, once.
 */
import type { HandlersOf } from "../../protocol/contract.ts";
import type { branchMethods } from "../../protocol/branches.ts";
import type { prebuildMethods } from "../../protocol/prebuilds.ts";
import type { workspaceMethods } from "../../protocol/workspaces.ts";
import { readLog } from "../machines/roster/bootLog.ts";
import type { AfterUse } from "../machines/running/idle.ts";
import { Clones } from "./branches/clones.ts";
import { findWorkspace } from "./branches/findWorkspace.ts";
import { branchHandlers } from "./branches/handlers.ts";
import { configsIn, openConfiguration } from "./branches/openConfiguration.ts";
import { readConfiguration } from "./devcontainer/read.ts";
import { bringDown } from "./down/down.ts";
import { endUse } from "./down/endUse.ts";
import { leftoversOf } from "./down/leftovers.ts";
import { removeWorkspace } from "./down/remove.ts";
import { lockFolder } from "./features/ofFolder.ts";
import type { KnownWorkspaces } from "./known/knownWorkspaces.ts";
import { UnderWay } from "./known/underWay.ts";
import { prebuildHandlers } from "./prebuild/handlers.ts";
import type { Prebuilds } from "./prebuild/prebuilds.ts";
import { type ShareRoom, shareRoom } from "./share/ofWorkspace.ts";
import { type BeginDeps, upFolder } from "./up/begin.ts";
import { describeConfiguration } from "./up/describe.ts";
import { commandLineFor } from "./up/exec.ts";
import type { PlanDeps } from "./up/planFor.ts";
import type { UpDeps } from "./up/upDeps.ts";

export interface WorkspaceRoomDeps
  extends Omit<UpDeps, "workspaces" | "prebuilds">, PlanDeps {
  readonly prebuilds?: Prebuilds;
  /** What was brought up before; loaded. */
  readonly workspaces: KnownWorkspaces;
  readonly onFetching: (url: string, text: string) => void;
}

export interface WorkspaceRoom extends ShareRoom {
  readonly handlers: HandlersOf<
    | keyof typeof workspaceMethods
    | keyof typeof branchMethods
    | keyof typeof prebuildMethods
  >;
  /** A folder is being brought up in this machine. */
  works(machine: string): boolean;
  /** What the machine's workspace wants once its last connection has ended. */
  afterUse(machine: string): AfterUse | undefined;
  /** Does that. A machine with work that is nowhere else is stopped and kept, and its log says so. */
  endUse(machine: string, act: AfterUse): Promise<void>;
  /** Folders are being brought up. */
  busy(): boolean;
  /** Ends what is under way and waits for it. Guests go on. */
  close(): Promise<void>;
}

/** Takes over what an earlier helper left of workspaces and clones. */
export async function createWorkspaceRoom(
  deps: WorkspaceRoomDeps,
): Promise<WorkspaceRoom> {
  const { layout, prebuilds, workspaces } = deps;
  const clones = new Clones(layout, deps.onFetching);
  await clones.keepOnly(
    workspaces.entries().map(({ record }) => record.folder),
  );
  const underWay = new UnderWay();
  const inside = { ...deps, clones, underWay };

  return {
    handlers: {
      ...workspaceHandlers(inside),
      ...branchHandlers(clones),
      ...prebuildHandlers(deps),
    },
    afterUse: (machine) => workspaces.ofMachine(machine)?.record.afterUse,
    endUse: async (machine, act) => {
      const entry = workspaces.ofMachine(machine);
      if (entry !== undefined) await endUse(entry, act, inside);
    },
    ...shareRoom(workspaces),
    works: (machine) =>
      underWay.has(workspaces.ofMachine(machine)?.record.id ?? ""),
    busy: () => underWay.size > 0 || prebuilds?.busy() === true,
    close: async () => {
      await Promise.all(
        underWay
          .endAll()
          .map((id) => workspaces.locks.run(id, () => Promise.resolve())),
      );
      await prebuilds?.close();
    },
  };
}

type Inside = BeginDeps & { readonly clones: Clones };

const defaultLogBytes = 1024 * 1024;
const usualUnusedDays = 30;

/** The contract's methods for folders and their VMs. */
const workspaceHandlers = (
  deps: Inside,
): HandlersOf<keyof typeof workspaceMethods> => ({
  "workspaces.list": () =>
    Promise.resolve({
      workspaces: deps.workspaces
        .entries()
        .map((entry) => deps.workspaces.view(entry))
        .sort((a, b) => a.folder.localeCompare(b.folder)),
    }),
  "workspaces.read": async (place, { signal }) => {
    await using opened = await openConfiguration(
      place,
      deps.layout.work,
      signal,
    );
    return describeConfiguration(opened.configuration, deps.workspaces);
  },
  "workspaces.configs": async (place, { signal }) => ({
    configs: await configsIn(
      place,
      {
        scratch: deps.layout.work,
        known: (await deps.images()).map(({ name }) => name),
      },
      signal,
    ),
  }),
  "workspaces.up": (params, context) => upFolder(params, deps, context),
  "workspaces.rebuild": ({ discard = false, ...params }, context) =>
    upFolder(params, deps, context, { discard }),
  "workspaces.down": async (
    { delete: remove = false, discard = false, ...place },
    { signal },
  ) => {
    const entry = await findWorkspace(place, deps.workspaces);
    await bringDown(entry, { delete: remove, discard }, deps, signal);
    return { workspace: deps.workspaces.view(entry) };
  },
  "workspaces.delete": async ({ id, discard = false }, { signal }) => {
    await removeWorkspace(id, discard, deps, signal);
    return {};
  },
  "workspaces.leftovers": async ({ unusedDays = usualUnusedDays }) => ({
    leftovers: await leftoversOf(deps, unusedDays),
  }),
  "workspaces.lock": async ({ folder, config }, { signal }) => {
    const configuration = await readConfiguration(folder, config);
    const locked = await lockFolder(configuration, deps, signal);
    return { ...locked, features: [...locked.features] };
  },
  "workspaces.exec": async ({ command, ...place }, { signal }) => {
    const entry = await findWorkspace(place, deps.workspaces);
    return commandLineFor(entry, command, deps, signal);
  },
  "workspaces.log": async ({ id, offset = 0, maxBytes = defaultLogBytes }) =>
    readLog(deps.layout.workspace(id).log, offset, maxBytes),
});
