/*
 * The machines' room. It takes over what an earlier helper left, in this order: abandoned templates, running guests, then
 * installations that were under way (by then nothing runs that no machine needs), last the pool. Asked about work in a
 * guest, it asks only guests that run, so it needs none of the verbs that start one.
 */
import { join } from "node:path";
import { createEmitter, type Emitter } from "../../../base/emitter.ts";
import { readVariable } from "../../../base/environmentVariables.ts";
import type { HandlersOf } from "../../../protocol/contract.ts";
import type { checkpointMethods } from "../../../protocol/checkpoints.ts";
import type { machineMethods } from "../../../protocol/machines.ts";
import type { poolMethods } from "../../../protocol/pool.ts";
import type { selfTestMethods } from "../../../protocol/selfTest.ts";
import type { templateMethods } from "../../../protocol/templates.ts";
import { guestAccess, runningGuests } from "../../machines/guestAccess.ts";
import { machineHandlers } from "../../machines/handlers.ts";
import { createMachines, type Machines } from "../../machines/machines.ts";
import { poolHandlers } from "../../machines/pool/handlers.ts";
import type { PoolDeps } from "../../machines/pool/keeping.ts";
import { createPool, type Pool } from "../../machines/pool/pool.ts";
import { PoolSizes, poolSizeFrom } from "../../machines/pool/sizes.ts";
import { PublishedPorts } from "../../machines/running/publishedPorts.ts";
import { checkpointHandlers } from "../../machines/saved/handlers.ts";
import { snapshotDeps } from "../../machines/saved/snapshotDeps.ts";
import { selfTestHandlers } from "../../machines/selfTest/handlers.ts";
import { templateHandlers } from "../../machines/warm/handlers.ts";
import { endAbandonedTemplates } from "../../machines/warm/makeTemplate.ts";
import { createWarm, type Warm } from "../../machines/warm/warm.ts";
import { Templates } from "../../snapshots/templates.ts";
import { writeSshConfig } from "../../ssh/config.ts";
import { ensureUserKey } from "../../ssh/keys.ts";
import { type Launcher, writeLauncher } from "../../ssh/launcher.ts";
import type { GuestAccess } from "../../ssh/guestAccess.ts";
import type { Layout } from "../../store/layout.ts";
import {
  askForWork,
  type BringBackDeps,
} from "../../workspaces/bringBack/handlers.ts";
import type { ImageRoom } from "./images.ts";
import { type RoomOptions, resourcesFolder } from "./options.ts";
import type { Roster } from "./roster.ts";

export interface MachineRoom {
  readonly machines: Machines;
  readonly templates: Templates;
  readonly warm: Warm;
  readonly pool: Pool;
  readonly reach: GuestAccess;
  /** Ports that containers in machines publish. */
  readonly published: PublishedPorts;
  /** Writes the ssh config again, once what it says has changed. */
  readonly onRosterChanged: () => Promise<void>;
  /** For whoever asks about, or brings back, the work in a machine's folder. */
  readonly bringBack: BringBackDeps;
  readonly handlers: HandlersOf<
    | keyof typeof machineMethods
    | keyof typeof checkpointMethods
    | keyof typeof templateMethods
    | keyof typeof poolMethods
    | keyof typeof selfTestMethods
  >;
  close(): Promise<void>;
}

/** What the machines' room asks of others. */
export interface MachineNeeds {
  /** Why this machine is not to have copies of itself; undefined where it may. */
  readonly unforkable: (id: string) => string | undefined;
}

export async function machineRoom(
  options: RoomOptions,
  roster: Roster,
  { images }: ImageRoom,
  { unforkable }: MachineNeeds,
): Promise<MachineRoom> {
  const { layout, log } = options;
  const { registry } = roster;
  const writeConfig = await sshFiles(layout, roster);
  const { templates, changed } = await templateStore(options);
  const warm = createWarm({
    layout,
    templates,
    log,
    automatic: readVariable("GUESTHOUSE_WARM") !== "manual",
    cacheFolder: readVariable("GUESTHOUSE_TEMPLATE_CACHE"),
  });
  const asking = {
    ...runningGuests({ layout, registry }),
    folderOf: (id: string) => registry.find(id).record.folder,
    scratch: layout.work,
  };
  const shared = {
    ...snapshotDeps({ layout, registry, images, log }),
    images,
    templates,
    warm,
    askForWork: (id: string, signal: AbortSignal) =>
      askForWork(asking, id, signal),
  };
  const machines = createMachines(shared);
  await machines.adopt();
  // Not before: what no machine of ours needs is ended by then.
  await images.installs.goOn();
  await writeConfig();
  const pool = await keepPool({ ...shared, changed }, roster);
  const reach = guestAccess({ layout, registry, machines });
  const published = new PublishedPorts({ registry, reach, log });
  roster.changed.on(({ id }) => published.changed(id));
  roster.removed.on(({ id }) => published.changed(id));
  for (const { record } of registry.entries()) published.changed(record.id);
  const living = { unforkable, onRosterChanged: writeConfig };
  return {
    machines,
    templates,
    warm,
    pool,
    reach,
    published,
    onRosterChanged: writeConfig,
    bringBack: { ...asking, ...reach },
    handlers: {
      ...machineHandlers({ ...shared, ...living, machines, pool }),
      ...checkpointHandlers({
        ...shared,
        ...living,
        start: (entry, wish, signal) => machines.start(entry, wish, signal),
      }),
      ...templateHandlers({ ...shared, measure: () => pool.measure() }),
      ...poolHandlers(pool),
      ...selfTestHandlers(
        {
          layout,
          registry,
          living: (entry, verb) => machines.living(entry, verb),
        },
        resourcesFolder,
      ),
    },
    close: async () => {
      machines.leave();
      await published.close();
      await pool.close();
      await warm.close();
    },
  };
}

/** Our key and the launcher of ssh's proxy; gives what writes the config again once machines have come or gone. */
async function sshFiles(
  layout: Layout,
  { registry }: Roster,
): Promise<() => Promise<void>> {
  await ensureUserKey(layout.ssh);
  await writeLauncher(layout.ssh, launcherOf(layout));
  return async () => {
    await writeSshConfig(
      layout.ssh,
      registry
        .entries()
        .filter(({ state }) => state.kind !== "creating")
        .map(({ record }) => record),
    );
  };
}

/**
 * How ssh runs our proxy: this very program, finding this very data folder, whatever environment ssh was started from.
 */
function launcherOf(layout: Layout): Launcher {
  const env: Record<string, string> = { GUESTHOUSE_HOME: layout.home };
  for (const name of ["ELECTRON_RUN_AS_NODE", "XDG_RUNTIME_DIR"] as const) {
    const value = readVariable(name);
    if (value !== undefined) env[name] = value;
  }
  return { command: [process.execPath, join(__dirname, "helper.js")], env };
}

/** The templates that are here, without what an earlier helper did not finish. */
async function templateStore({ layout, log, tellAll }: RoomOptions): Promise<{
  templates: Templates;
  changed: Pick<Emitter<void>, "on">;
}> {
  const changed = createEmitter<void>();
  const templates = new Templates(
    layout,
    {
      changed: (template) => {
        tellAll("templates.changed", { template });
        changed.fire();
      },
      removed: (id, revision) => {
        tellAll("templates.removed", { id, revision });
        changed.fire();
      },
    },
    log,
  );
  await endAbandonedTemplates(layout);
  await templates.load();
  return { templates, changed };
}

/** The pool looks again whenever machines or templates have changed. */
async function keepPool(
  deps: Omit<PoolDeps, "sizes"> & {
    readonly changed: Pick<Emitter<void>, "on">;
  },
  roster: Roster,
): Promise<Pool> {
  const sizes = new PoolSizes(
    deps.layout.poolSizes,
    poolSizeFrom(readVariable("GUESTHOUSE_POOL")),
  );
  await sizes.load();
  const pool = createPool({ ...deps, sizes });
  roster.changed.on(() => pool.nudge());
  deps.changed.on(() => pool.nudge());
  pool.nudge();
  return pool;
}
