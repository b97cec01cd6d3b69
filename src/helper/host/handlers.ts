import type { HandlersOf } from "../../protocol/contract.ts";
import type { DoctorCheck } from "../../protocol/host.ts";
import type { Log } from "../../base/log.ts";

export interface HostDeps {
  readonly home: string;
  readonly acceleratorCache: string;
  readonly log: Log;
  /** Checks of other rooms, e.g. the Include line of the ssh config. */
  readonly extraChecks?: () => Promise<DoctorCheck[]>;
}
export declare function hostHandlers(deps: HostDeps): HandlersOf<"host.doctor">;
