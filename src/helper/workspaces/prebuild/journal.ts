import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../../base/log.ts";
import { makePrivateFolder, replaceFile } from "../../../base/files.ts";
import type { Layout } from "../../store/layout.ts";
import type { MachineVerbs } from "../known/machineVerbs.ts";

/**
 * A prebuild's machine is named here before it is made and until it is gone, so that a helper that finds the name knows
 * that nobody wants the machine any more.
 */
export const noteMachine = async (
  layout: Layout,
  name: string,
): Promise<void> => {
  await makePrivateFolder(layout.prebuilding);
  await replaceFile(join(layout.prebuilding, name), "");
};

export const forgetMachine = (layout: Layout, name: string): Promise<void> =>
  rm(join(layout.prebuilding, name), { force: true });

/** Deletes the machines of prebuilds that an earlier helper did not come to the end of. */
export async function removeAbandoned(
  layout: Layout,
  machines: Pick<MachineVerbs, "list" | "remove">,
  log: Log,
): Promise<void> {
  for (const name of await readdir(layout.prebuilding).catch(() => [])) {
    try {
      const left = machines.list().find((each) => each.name === name);
      if (left !== undefined)
        await machines.remove(
          left.id,
          { discard: true },
          AbortSignal.timeout(60_000),
        );
      await forgetMachine(layout, name);
    } catch (error) {
      log.warn("a prebuild's machine is left", { machine: name, error });
    }
  }
}
