import type { Command } from "commander";
import { remotePath } from "../../../base/remotePath.ts";
import { failed } from "../../../protocol/failure.ts";
import { inherit } from "../terminal/inherit.ts";
import { showImage } from "../terminal/progress.ts";
import { withHelper } from "../terminal/session.ts";

export function addOpenCommand(program: Command): void {
  program
    .command("open")
    .argument("<name>")
    .argument("[folder]", "folder in the guest, default the home folder")
    .description("open a guest in VS Code")
    .option("--print", "print the address instead")
    .option("--json", "print JSON")
    .action(
      async (
        name: string,
        folder: string | undefined,
        flags: { print?: boolean; json?: boolean },
      ) =>
        withHelper(
          flags,
          async ({ client, progress, signal }) => {
            client.onNotice("images.changed", ({ image }) =>
              showImage(progress, image),
            );
            const { machine } = await client.call(
              "machines.start",
              { machine: name },
              signal,
            );
            await client.call("ssh.include", { wanted: true });
            const path = remotePath(
              folder ?? machine.folder?.guest ?? machine.home,
            );
            const uri = `vscode-remote://ssh-remote+${machine.alias}${path}`;
            if (flags.print !== true) {
              progress.stop();
              const code = await inherit("code", [`--folder-uri=${uri}`]);
              if (code !== 0)
                throw failed(
                  "host.toolFailed",
                  `VS Code ended with code ${String(code)}.`,
                  {
                    remedy: `Open this address by hand: ${uri}`,
                  },
                );
            }
            return { uri, alias: machine.alias };
          },
          ({ uri }) => uri,
        ),
    );
}
