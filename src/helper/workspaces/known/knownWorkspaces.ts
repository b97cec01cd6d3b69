/*
 * What the helper knows of every folder that was brought up, as one entry each. Only this class writes an entry; everybody
 * else reads it and asks for a change by one of the verbs. A change of the record is on disk before anybody hears of it,
 * and whoever asks for one holds the workspace's lock. Made by `../handlers.ts`; the `up` of a prebuild has an entry of its
 * own that nobody keeps (`../prebuild/scratch.ts`).
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, posix } from "node:path";
import { given } from "../../../base/given.ts";
import { visible } from "../../../base/visible.ts";
import { KeyedMutex } from "../../../base/mutex.ts";
import type {
  UpStage,
  Workspace,
  WorkspaceState,
} from "../../../protocol/workspaces.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { aliasFor, freeName } from "../../machines/identity/names.ts";
import type { Layout } from "../../store/layout.ts";
import {
  readWorkspaces,
  type WorkspaceRecord,
  writeWorkspace,
} from "../../store/workspaceRecords.ts";
import { chooseConfig } from "../devcontainer/find.ts";
import type { Configuration } from "../devcontainer/read.ts";
import { filesWayOf } from "./filesWay.ts";
import type { MachineVerbs } from "./machineVerbs.ts";

/** What the file says now, and only making it again brings about. */
export type Outdated = {
  readonly [Key in "outdated" | "rebuild"]-?: NonNullable<Workspace[Key]>;
};

export interface WorkspaceEntry {
  readonly record: Readonly<WorkspaceRecord>;
  /** Set while an `up` is under way. */
  readonly working: Extract<WorkspaceState, { kind: "working" }> | undefined;
  /** See the contract. */
  readonly mishap?: string | undefined;
  /** Set by an `up` that found the file changed in what only a rebuild brings about. */
  readonly outdated?: Outdated | undefined;
  readonly revision: number;
}

/** An entry in the hands of its owner. */
export type OwnedEntry = {
  -readonly [K in keyof WorkspaceEntry]: WorkspaceEntry[K];
};

/** What an `up` may do to an entry. */
export type UpWorkspaces = Pick<
  KnownWorkspaces,
  | "machineOf"
  | "view"
  | "rewrite"
  | "enter"
  | "leave"
  | "noteMishap"
  | "noteOutdated"
>;

export class KnownWorkspaces {
  /** One `up`, `down` or `rebuild` at a time per workspace (B19). */
  readonly locks = new KeyedMutex();
  readonly #entries = new Map<string, OwnedEntry>();
  readonly #layout: Layout;
  readonly #machines: Pick<MachineVerbs, "list">;
  readonly #changed: (workspace: Workspace) => void;
  readonly #removed: (id: string, revision: number) => void;
  #revision = Date.now();

  constructor(
    layout: Layout,
    machines: Pick<MachineVerbs, "list">,
    changed: (workspace: Workspace) => void,
    removed: (id: string, revision: number) => void,
  ) {
    this.#layout = layout;
    this.#machines = machines;
    this.#changed = changed;
    this.#removed = removed;
  }

  async load(): Promise<void> {
    for (const record of await readWorkspaces(this.#layout))
      this.#entries.set(record.id, {
        record,
        working: undefined,
        revision: ++this.#revision,
      });
  }

  entries(): WorkspaceEntry[] {
    return [...this.#entries.values()];
  }

  get(id: string): WorkspaceEntry | undefined {
    return this.#entries.get(id);
  }

  ofMachine(machine: string): WorkspaceEntry | undefined {
    return this.entries().find(
      ({ record }) => record.made?.machine === machine,
    );
  }

  find(configuration: Configuration): WorkspaceEntry | undefined {
    return this.#entries.get(workspaceId(configuration));
  }

  /** By what it was brought up as. Refuses with `workspaces.configAmbiguous` when only the configuration tells which. */
  findBranch(
    folder: string,
    branch: string,
    wanted: string | undefined,
  ): WorkspaceEntry | undefined {
    const all = this.entries().filter(
      ({ record }) => record.folder === folder && record.branch === branch,
    );
    if (wanted === undefined && all.length < 2) return all[0];
    const config = chooseConfig(
      all.flatMap(({ record }) => record.config ?? []),
      wanted,
    );
    return all.find(({ record }) => record.config === config);
  }

  /** The entry of this folder and file, made and recorded when it is new. */
  async claim(
    configuration: Configuration,
    url?: string,
  ): Promise<WorkspaceEntry> {
    const known = this.find(configuration);
    if (known !== undefined) return known;
    const machines = this.#machines.list();
    const records = this.entries().map(({ record }) => record);
    const name = freeName(
      baseName(configuration),
      new Set([...machines, ...records].map((each) => each.name)),
    );
    const entry: OwnedEntry = {
      record: {
        format: 1,
        id: workspaceId(configuration),
        folder: configuration.folder,
        ...given({
          branch: configuration.branch,
          config: configuration.path,
          url,
        }),
        title: titleOf(configuration),
        name,
        alias: aliasFor(
          name,
          new Set([...machines, ...records].map(({ alias }) => alias)),
        ),
      },
      working: undefined,
      revision: 0,
    };
    this.#entries.set(entry.record.id, entry);
    await this.rewrite(entry, {});
    return entry;
  }

  async rewrite(
    entry: WorkspaceEntry,
    change: Partial<WorkspaceRecord>,
  ): Promise<void> {
    const record = { ...entry.record, ...change };
    await writeWorkspace(this.#layout, record);
    owned(entry).record = record;
    this.#tell(entry);
  }

  /** An `up` is at this stage now. */
  enter(entry: WorkspaceEntry, stage: UpStage): void {
    owned(entry).working = { kind: "working", stage, sinceMs: Date.now() };
    this.#tell(entry);
  }

  /** The `up` has ended, and this is what it leaves. It counts as ended even where its end can't be written. */
  async leave(
    entry: WorkspaceEntry,
    change: Partial<WorkspaceRecord>,
  ): Promise<void> {
    owned(entry).working = undefined;
    await this.rewrite(entry, change);
  }

  /** What went wrong without ending the `up`; undefined takes it back. With `tell` at once, else with the next change. */
  noteMishap(
    entry: WorkspaceEntry,
    mishap: string | undefined,
    { tell = false }: { readonly tell?: boolean } = {},
  ): void {
    owned(entry).mishap = mishap;
    if (tell) this.#tell(entry);
  }

  /** What only a rebuild brings about. Told with the next change. */
  noteOutdated(entry: WorkspaceEntry, outdated: Outdated | undefined): void {
    owned(entry).outdated = outdated;
  }

  /** The name and alias are free again. */
  async forget({ record: { id } }: WorkspaceEntry): Promise<void> {
    const files = this.#layout.workspace(id);
    await rm(files.record, { force: true });
    await rm(files.log, { force: true });
    this.#entries.delete(id);
    this.#removed(id, ++this.#revision);
  }

  /** Somebody deleted this machine, by whatever way. A rebuild that did goes on first, and then there is a new one. */
  async machineGone(machine: string): Promise<void> {
    const isOf = (entry: WorkspaceEntry): boolean =>
      entry.record.made?.machine === machine;
    for (const entry of this.entries().filter(isOf))
      await this.locks.run(entry.record.id, async () => {
        if (isOf(entry) && this.#entries.get(entry.record.id) === entry)
          await this.rewrite(entry, { made: undefined, failed: undefined });
      });
  }

  /** The workspace's machine, unless somebody deleted it. */
  machineOf({ record }: WorkspaceEntry): Machine | undefined {
    return this.#machines.list().find(({ id }) => id === record.made?.machine);
  }

  #tell(entry: WorkspaceEntry): void {
    owned(entry).revision = ++this.#revision;
    this.#changed(this.view(entry));
  }

  view(entry: WorkspaceEntry): Workspace {
    const { record } = entry;
    const machine = this.machineOf(entry);
    return {
      id: record.id,
      folder: record.folder,
      ...given({
        config: record.config,
        branch: record.branch,
        url: record.url,
      }),
      title: record.title,
      alias: machine?.alias ?? record.alias,
      ...(machine === undefined || record.made === undefined
        ? {}
        : {
            machine: { id: machine.id, name: machine.name },
            remote: {
              folder: record.made.workspaceFolder,
              user: record.made.user,
            },
            files: filesWayOf(record.made),
            ...given({ extensions: record.made.extensions }),
          }),
      ...given({ mishap: entry.mishap }),
      ...entry.outdated,
      state:
        entry.working ??
        record.failed ??
        (machine === undefined ? { kind: "absent" } : { kind: "ready" }),
      logPath: this.#layout.workspace(record.id).log,
      revision: entry.revision,
    };
  }
}

/** Every entry is one that this class made. */
const owned = (entry: WorkspaceEntry): OwnedEntry => entry;

/** The same folder, file and branch are the same workspace, whenever and by whomever they are opened. */
export const workspaceId = ({
  folder,
  path,
  branch,
}: Pick<Configuration, "folder" | "path" | "branch">): string =>
  createHash("sha256")
    .update(
      JSON.stringify([
        ...[folder, path ?? null],
        ...(branch === undefined ? [] : [branch]),
      ]),
    )
    .digest("hex")
    .slice(0, 16);

/** What the file calls itself, else the folder's name; and the branch. */
export const titleOf = ({
  file,
  folder,
  branch,
}: Pick<Configuration, "file" | "folder" | "branch">): string =>
  visible(
    `${file.name ?? basename(folder)}${branch === undefined ? "" : ` (${branch})`}`,
  );

/** From the folder, its branch, and the configuration where it has a name: what a person would call the VM. */
function baseName({ folder, path, branch = "" }: Configuration): string {
  const [, config = ""] =
    /^\.devcontainer\/(.+)\/devcontainer\.json$/.exec(
      posix.normalize(path ?? ""),
    ) ?? [];
  return (
    `${basename(folder)}-${branch}-${config}`
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .slice(0, 50)
      .replace(/^-+|-+$/g, "") || "workspace"
  );
}
