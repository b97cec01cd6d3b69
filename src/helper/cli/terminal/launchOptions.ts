import { join } from "node:path";
import { readVariable } from "../../../base/environmentVariables.ts";
import { version } from "../../../base/version.ts";
import { defaultHome } from "../../../rpc/address.ts";
import type { LaunchOptions } from "../../../rpc/launch.ts";

/** How a command finds the helper, or starts it: by the program that lies beside this one. */
export const launchOptions = (): LaunchOptions => ({
  home: defaultHome(),
  command: [process.execPath, join(__dirname, "helper.js")],
  env: electronEnvironment(),
  version,
  client: "cli",
});

function electronEnvironment(): Record<string, string> {
  const flag = readVariable("ELECTRON_RUN_AS_NODE");
  return flag === undefined ? {} : { ELECTRON_RUN_AS_NODE: flag };
}
