import { failed } from "../../protocol/failure.ts";
import type { Prepare } from "./made.ts";
export interface PreparationOptions {
  readonly resources: string;
}
export function preparationMachine(options: PreparationOptions): Prepare {
  return () =>
    Promise.reject(
      failed(
        "host.notSupported",
        `Preparing is not possible yet (${options.resources}).`,
      ),
    );
}
