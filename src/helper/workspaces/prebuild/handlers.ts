import type { HandlersOf } from "../../../protocol/contract.ts";
import { bug, refused } from "../../../protocol/failure.ts";
import type { prebuildMethods } from "../../../protocol/prebuilds.ts";
import type { Layout } from "../../store/layout.ts";
import { openConfiguration } from "../branches/openConfiguration.ts";
import { requireConsent } from "../up/hostCommand.ts";
import { planFor, type PlanDeps } from "../up/planFor.ts";
import type { Prebuilds } from "./prebuilds.ts";

export interface PrebuildHandlerDeps extends PlanDeps {
  readonly layout: Layout;
  readonly prebuilds?: Pick<Prebuilds, "make">;
}

/** The contract's methods for prebuilds. */
export const prebuildHandlers = (
  deps: PrebuildHandlerDeps,
): HandlersOf<keyof typeof prebuildMethods> => ({
  "prebuilds.make": async (params, { signal }) => {
    const { initialize, digest } = params;
    await using opened = await openConfiguration(
      params,
      deps.layout.work,
      signal,
    );
    const { configuration } = opened;
    requireConsent(configuration, initialize ?? "refuse", digest);
    const plan = await planFor(configuration, params, deps);
    if (plan.container !== undefined)
      throw refused(
        "workspaces.notSupported",
        "This configuration is for a container, and prebuilds of containers aren't supported yet.",
        {
          remedy:
            "Use `guesthouse up`, or prebuild the VM without the container: --direct.",
        },
      );
    if (deps.prebuilds === undefined)
      throw bug("No prebuilds can be made here.");
    return await deps.prebuilds.make(configuration, plan, params, signal);
  },
});
