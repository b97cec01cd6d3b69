import { join } from "node:path";
import type { WarmTemplates } from "../window/settings.ts";
import type { Open } from "./connection.ts";

export interface LaunchPlan {
  readonly extensionPath: string;
  readonly version: string;
  /** The editor's own runtime, so that no Node has to be installed. */
  readonly execPath: string;
  /** `guesthouse.home`; empty: the environment's or the platform's folder. */
  readonly home: string;
  /** `guesthouse.qemuPath`; empty: the search path. */
  readonly qemuPath: string;
  /** `guesthouse.warmTemplates`. */
  readonly warmTemplates: WarmTemplates;
  /** `guesthouse.warmPool`. */
  readonly warmPool: number;
  /** `guesthouse.idleStopMinutes`. */
  readonly idleStopMinutes: number;
}

/** The command and environment that run the helper bundle, now and from ssh's ProxyCommand. */
export function helperCommand(plan: LaunchPlan): {
  command: [string, ...string[]];
  env: Record<string, string>;
} {
  const env: Record<string, string> = { ELECTRON_RUN_AS_NODE: "1" };
  if (plan.warmTemplates === "manual") env["GUESTHOUSE_WARM"] = "manual";
  if (plan.warmPool > 0) env["GUESTHOUSE_POOL"] = String(plan.warmPool);
  if (plan.idleStopMinutes > 0)
    env["GUESTHOUSE_IDLE_STOP_MINUTES"] = String(plan.idleStopMinutes);
  if (plan.qemuPath !== "") env["GUESTHOUSE_QEMU"] = plan.qemuPath;
  return {
    command: [plan.execPath, join(plan.extensionPath, "dist", "helper.js")],
    env,
  };
}

/** The data folder: the setting's, the environment's or the platform's. */
export async function dataFolder({ home }: LaunchPlan): Promise<string> {
  if (home !== "") return home;
  const { defaultHome } = await import("../../rpc/address.ts");
  return defaultHome();
}

/** Finds or starts the helper. What speaks the protocol is loaded here, at the first request, not at activation. */
export function openHelper(plan: () => LaunchPlan): Open {
  return async (signal) => {
    const { ensureHelper } = await import("../../rpc/launch.ts");
    const now = plan();
    const launch = helperCommand(now);
    const { version } = now;
    const home = await dataFolder(now);
    const helper = await ensureHelper(
      { ...launch, home, version, client: "window" },
      signal,
    );
    // The runtime and the bundle move with every update of the editor or the extension; ssh must find them. Whether
    // it worked is asked again, and told, when a machine is opened.
    await helper.client
      .call("ssh.useLauncher", launch, signal)
      .catch(() => undefined);
    return helper;
  };
}
