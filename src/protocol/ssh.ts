import * as z from "zod";
import { request } from "./method.ts";

export const sshAccessSchema = z.object({
  alias: z.string(),
  user: z.string(),
  /** Loopback address and port while the machine runs. */
  host: z.string(),
  port: z.number().int().optional(),
  identityFile: z.string(),
  knownHostsFile: z.string(),
  configFile: z.string(),
  /** True when the user's own ssh config includes ours, so that `ssh <alias>` works everywhere. */
  included: z.boolean(),
  /** Works in any terminal, with or without the Include line. */
  command: z.array(z.string()),
});
export type SshAccess = z.infer<typeof sshAccessSchema>;

export const sshMethods = {
  "ssh.access": request(
    z.object({ machine: z.string() }),
    z.object({ access: sshAccessSchema }),
  ),
  /** Adds or removes the one marked Include line in the user's ssh config. */
  "ssh.include": request(
    z.object({
      wanted: z.boolean(),
      /** `remote.SSH.configFile` of the editor; default `~/.ssh/config`. */
      configFile: z.string().optional(),
    }),
    z.object({
      included: z.boolean(),
      changed: z.boolean(),
      configFile: z.string(),
    }),
  ),
  /** The launcher that ssh's ProxyCommand runs; recorded when the client's own runtime moves. */
  "ssh.useLauncher": request(
    z.object({
      /** Program and leading arguments that run this helper bundle. */ command:
        z.array(z.string()).min(1),
      env: z.record(z.string(), z.string()).optional(),
    }),
    z.object({ changed: z.boolean() }),
  ),
  /** Starts the machine when needed and answers once sshd sends its banner. */
  "ssh.prepare": request(
    z.object({ machine: z.string() }),
    z.object({ host: z.string(), port: z.number().int() }),
  ),
};
