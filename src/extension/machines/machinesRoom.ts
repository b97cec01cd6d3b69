import type { Memento } from "vscode";
import type { Image } from "../../protocol/images.ts";
import type { Machine, MachineStats } from "../../protocol/machines.ts";
import type { Connection } from "../helper/connection.ts";
import type { Records } from "../helper/records.ts";
import type { ShowMarkdown } from "../window/documents.ts";
import type { Settings } from "../window/settings.ts";
import { BootLogs } from "./bootLogs.ts";
import { bringBackCommands } from "./bringBack.ts";
import { changeCommands } from "./changeCommands.ts";
import { machineChooser } from "./choose.ts";
import { createCommands } from "./createCommands.ts";
import { lifecycleCommands } from "./lifecycleCommands.ts";
import { logCommands } from "./logCommands.ts";
import { readyMaker } from "./ready.ts";
import { showServiceLog } from "./serviceLog.ts";
import { Services } from "./services.ts";
import { createMachinesView } from "./tree.ts";

export interface MachinesRoomDeps {
  readonly connection: Connection;
  readonly machines: Records<Machine>;
  readonly images: Records<Image>;
  readonly loaded: () => Promise<void>;
  readonly settings: () => Settings;
  readonly showMarkdown: ShowMarkdown;
  readonly thumbnailOf: (machine: Machine) => Promise<string>;
  /** Of this workspace: which logs were open. */
  readonly memento: Memento;
}

/** The *Machines* view, boot logs, and what is done to machines; other rooms choose and start machines by it. */
export function createMachinesRoom(deps: MachinesRoomDeps) {
  const { connection, machines, images, loaded, settings, memento } = deps;
  const { showMarkdown, thumbnailOf } = deps;
  const { call, onNotice } = connection;
  const bootLogs = new BootLogs({ call, onNotice, machines, memento });
  connection.onConnected(() => bootLogs.catchUp());
  // A machine that ends while it is asked has no figures; its tooltip does without.
  const statsOf = (machine: string): Promise<MachineStats | undefined> =>
    call("machines.stats", { machine }).then(
      ({ stats }) => stats,
      () => undefined,
    );
  const services = new Services(call);
  const view = createMachinesView({
    ...{ machines, services, loaded, statsOf, thumbnailOf },
  });
  const choose = machineChooser(machines, loaded);
  return {
    choose,
    makeReady: readyMaker(call, machines),
    /** See `MachinesView`. */
    warn: view.warn,
    commands: {
      ...createCommands({ call, settings, images, loaded }),
      ...lifecycleCommands(call, choose),
      ...changeCommands(call, choose, settings),
      ...logCommands({
        call,
        choose,
        machines,
        loaded,
        bootLogs,
        showMarkdown,
      }),
      "guesthouse.showServiceLog": showServiceLog({
        ...{ call, choose, machines, services },
      }),
      ...bringBackCommands(call, choose),
    },
    dispose() {
      view.dispose();
      bootLogs.dispose();
    },
  };
}
