import { dirname } from "node:path";
import { given } from "../../base/given.ts";
import type { HandlersOf } from "../../protocol/contract.ts";
import type { SshFiles } from "../store/layout.ts";
import { includeConfig, isIncluded } from "./include.ts";
import { writeLauncher } from "./launcher.ts";
import type { GuestAccess } from "./guestAccess.ts";

export interface SshHandlerDeps extends Pick<
  GuestAccess,
  "find" | "prepare" | "aliases"
> {
  readonly files: SshFiles;
}

export function sshHandlers(
  deps: SshHandlerDeps,
): HandlersOf<
  "ssh.access" | "ssh.include" | "ssh.useLauncher" | "ssh.prepare"
> {
  const { files } = deps;
  return {
    "ssh.access": async ({ machine }) => {
      const { alias, user, port } = await deps.find(machine);
      return {
        access: {
          alias,
          user,
          host: "127.0.0.1",
          ...given({ port }),
          identityFile: files.identity,
          knownHostsFile: files.knownHosts,
          configFile: files.config,
          included: await isIncluded(files.config),
          command: ["ssh", "-F", files.config, alias],
        },
      };
    },
    "ssh.include": ({ wanted, configFile }, { signal }) =>
      includeConfig(
        {
          include: files.config,
          wanted,
          aliases: deps.aliases(),
          ...given({ configFile }),
        },
        signal,
      ),
    "ssh.useLauncher": async ({ command, env }) => ({
      changed: await writeLauncher(files, {
        command,
        // ssh gives the launcher only its own environment, and the folder may not be the usual one.
        env: { GUESTHOUSE_HOME: dirname(files.folder), ...env },
      }),
    }),
    "ssh.prepare": ({ machine }, { signal }) => deps.prepare(machine, signal),
  };
}
