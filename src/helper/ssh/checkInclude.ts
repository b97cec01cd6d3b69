import type { DoctorCheck } from "../../protocol/host.ts";
import { isIncluded } from "./include.ts";

/** For the doctor: does plain `ssh <alias>` work? Without the line machines are still reached through our own config. */
export async function checkInclude(configFile: string): Promise<DoctorCheck> {
  const check = { id: "ssh-include", title: "SSH config" };
  if (await isIncluded(configFile))
    return {
      ...check,
      outcome: "ok",
      detail: "Plain `ssh` knows the machines.",
    };
  return {
    ...check,
    outcome: "ok",
    detail:
      "Plain `ssh` doesn't know the machines yet; `guesthouse ssh-config`, or the first Open in VM, makes it so.",
  };
}
