import { given } from "../../base/given.ts";
import type { HandlersOf } from "../../protocol/contract.ts";
import { type DoctorRequest, examineHost } from "./doctor.ts";

export type HostDeps = Omit<DoctorRequest, "retry">;

export function hostHandlers(deps: HostDeps): HandlersOf<"host.doctor"> {
  return {
    "host.doctor": async ({ retry }, { signal }) => ({
      report: await examineHost({ ...deps, ...given({ retry }) }, signal),
    }),
  };
}
