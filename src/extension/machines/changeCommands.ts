import { l10n } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import { about } from "../failures/about.ts";
import type { Call } from "../helper/connection.ts";
import { memoryText } from "../rows/quantities.ts";
import type { Settings } from "../window/settings.ts";
import {
  askCpus,
  askDiskGiB,
  askForm,
  askMemoryMiB,
  askName,
} from "./askForm.ts";
import { chooseOne, type ChooseMachines } from "./choose.ts";
import { type FormLine, gigabytes } from "./createForm.ts";

/** Commands that change what a machine is. */
export function changeCommands(
  call: Call,
  choose: ChooseMachines,
  settings: () => Settings,
): CommandsOf<"guesthouse.renameMachine" | "guesthouse.resizeMachine"> {
  return {
    async "guesthouse.renameMachine"(...args) {
      const machine = await chooseOne(choose, args, {
        title: l10n.t("Rename VM"),
      });
      if (machine === undefined) return;
      const name = await askName(machine.name);
      if (name === undefined || name === machine.name) return;
      await about({ kind: "machine", id: machine.id }, () =>
        call("machines.rename", { machine: machine.id, name }),
      );
    },
    async "guesthouse.resizeMachine"(...args) {
      const machine = await chooseOne(choose, args, {
        title: l10n.t("Resize VM"),
        states: new Set(["stopped"]),
      });
      if (machine === undefined) return;
      const size = await askSize(machine);
      if (size === undefined) return;
      const changes = changedSize(machine, size);
      if (Object.keys(changes).length === 0) return;
      await about({ kind: "machine", id: machine.id }, () =>
        resize(call, machine.id, changes, settings().checkpointBeforeRisk),
      );
    },
  };
}

/** Changes the size; with `checkpointFirst` only after the present state is kept. */
export async function resize(
  call: Call,
  machine: string,
  changes: Partial<MachineSize>,
  checkpointFirst: boolean,
): Promise<void> {
  if (checkpointFirst)
    await call("checkpoints.create", {
      machine,
      note: l10n.t("before resizing"),
      automatic: true,
    });
  await call("machines.set", { machine, ...changes });
}

export interface MachineSize {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
}

/** Only what is another value now. */
export const changedSize = (
  before: MachineSize,
  after: MachineSize,
): Partial<MachineSize> => ({
  ...(after.cpus === before.cpus ? {} : { cpus: after.cpus }),
  ...(after.memoryMiB === before.memoryMiB
    ? {}
    : { memoryMiB: after.memoryMiB }),
  ...(after.diskGiB === before.diskGiB ? {} : { diskGiB: after.diskGiB }),
});

const askSize = ({
  name,
  cpus,
  memoryMiB,
  diskGiB,
}: Machine): Promise<MachineSize | undefined> =>
  askForm<MachineSize, keyof MachineSize>(
    { title: l10n.t("Resize {0}", name), submit: l10n.t("Resize") },
    { cpus, memoryMiB, diskGiB },
    sizeLines,
    async (field, size) => {
      switch (field) {
        case "cpus":
          return { ...size, cpus: (await askCpus(size.cpus)) ?? size.cpus };
        case "memoryMiB":
          return {
            ...size,
            memoryMiB: (await askMemoryMiB(size.memoryMiB)) ?? size.memoryMiB,
          };
        case "diskGiB":
          return {
            ...size,
            diskGiB: (await askDiskGiB(size.diskGiB, diskGiB)) ?? size.diskGiB,
          };
      }
    },
  );

const sizeLines = (size: MachineSize): FormLine<keyof MachineSize>[] => [
  { field: "cpus", label: l10n.t("CPUs"), value: String(size.cpus) },
  {
    field: "memoryMiB",
    label: l10n.t("Memory"),
    value: memoryText(size.memoryMiB),
  },
  {
    field: "diskGiB",
    label: l10n.t("Disk"),
    value: gigabytes(size.diskGiB),
  },
];
