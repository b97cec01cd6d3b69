/* How a service in a VM is doing, judged the same way by the helper, the command line and the editor. Pure, without schemas. */
import type { Service } from "./containers.ts";

/** What it's called: by Compose, else by the engine. */
export const titleOfService = ({
  service,
  name,
}: Pick<Service, "service" | "name">): string => service ?? name;

/**
 * Somebody should look at it: it isn't up although it should be, or it's unhealthy. One that ended with code 0 has done its
 * work, as a migration does.
 */
export function isAmiss({
  state,
  exitCode,
  health,
}: Pick<Service, "state" | "exitCode" | "health">): boolean {
  switch (state) {
    case "running":
      return health === "unhealthy";
    case "exited":
      return exitCode !== 0;
    case "paused":
    case "removing":
      return false;
    case "created":
    case "restarting":
    case "dead":
      return true;
  }
}

/** Services that others need and that aren't as they should be: all but the dev container. */
export const amissBeside = (services: readonly Service[]): Service[] =>
  services.filter((each) => !each.devContainer && isAmiss(each));
