import { l10n } from "vscode";
import type { Machine } from "../protocol/machines.ts";
import { presentFailure } from "./failures/present.ts";
import type { Connection } from "./helper/connection.ts";
import type { Records } from "./helper/records.ts";

/** Tells a helper that can't be reached, once as a failure and then above the rows, which may be old. */
export const tellConnection = (
  connection: Connection,
  machines: Records<Machine>,
  warn: (message: string | undefined) => void,
): (() => void) =>
  connection.onDidChangeState((state) => {
    if (state.kind === "failed")
      void presentFailure(state.failure, undefined, () => connection.refresh());
    // Without rows the view's welcome text says so.
    warn(
      state.kind === "failed" && machines.all().length > 0
        ? l10n.t("The helper can't be reached: this may be out of date.")
        : undefined,
    );
  });
