import { l10n, window } from "vscode";
import type { Machine } from "../../protocol/machines.ts";
import { failureOf } from "../failures/present.ts";
import type { Call } from "../helper/connection.ts";

/**
 * Deletes a machine. One that holds work that is nowhere else, or may, is kept until the user has brought the work back
 * or said to delete it all the same. Answers whether it is deleted.
 */
export async function deleteMachine(
  call: Call,
  machine: Machine,
  bringBack: (machine: Machine) => Promise<void>,
): Promise<boolean> {
  const { id } = machine;
  for (;;) {
    try {
      await call("machines.delete", { machine: id });
      return true;
    } catch (error) {
      const failure = await failureOf(error);
      if (failure.code !== "machines.unsavedWork") throw error;
      const bring = l10n.t("Bring Back");
      const anyway = l10n.t("Delete Anyway");
      const answer = await window.showWarningMessage(
        l10n.t("{0} holds unsaved work.", machine.name),
        { modal: true, detail: failure.message },
        bring,
        anyway,
      );
      if (answer === undefined) return false;
      if (answer === anyway) {
        await call("machines.delete", { machine: id, discard: true });
        return true;
      }
      // Asked again afterwards: only what is really here counts as brought back.
      await bringBack(machine);
    }
  }
}
