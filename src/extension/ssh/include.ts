import { homedir } from "node:os";
import { given } from "../../base/given.ts";
import type { Call } from "../helper/connection.ts";
import type { Settings } from "../window/settings.ts";
import { sshConfigFile } from "./remoteSettings.ts";

/**
 * Adds our Include line to the ssh config that the editor reads, or removes it when the user opted out (B24). Answers
 * whether it is there.
 */
export async function keepInclude(
  call: Call,
  { manageSshConfig }: Settings,
): Promise<boolean> {
  const configFile = sshConfigFile(homedir());
  const { included } = await call("ssh.include", {
    wanted: manageSshConfig,
    ...given({ configFile }),
  });
  return included;
}
