import type { Image } from "../../protocol/images.ts";
import type { CommandsOf } from "../window/commandIds.ts";
import type { Call } from "../helper/connection.ts";
import { withViewProgress } from "../window/progress.ts";
import type { Records } from "../helper/records.ts";
import type { Settings } from "../window/settings.ts";
import { askMachine, makeAndStart } from "./create.ts";
import { formOf, type MachineForm } from "./createForm.ts";
import { machinesViewId } from "../window/viewIds.ts";

export function createCommands(deps: {
  readonly call: Call;
  readonly settings: () => Settings;
  readonly images: Records<Image>;
  readonly loaded: () => Promise<void>;
}): CommandsOf<
  | "guesthouse.createMachine"
  | "guesthouse.createMachineWithOptions"
  | "guesthouse.createMachineFromImage"
> {
  const { call, settings, images, loaded } = deps;
  const create = (form: MachineForm): Promise<void> =>
    withViewProgress(machinesViewId, () => makeAndStart(call, form));
  const createWithOptions = async (start: MachineForm): Promise<void> => {
    await loaded();
    const form = await askMachine(start, images);
    if (form !== undefined) await create(form);
  };
  return {
    "guesthouse.createMachine": () => create(formOf(settings())),
    "guesthouse.createMachineWithOptions": () =>
      createWithOptions(formOf(settings())),
    "guesthouse.createMachineFromImage": (name) =>
      typeof name === "string"
        ? create({ ...formOf(settings()), image: name })
        : createWithOptions(formOf(settings())),
  };
}
