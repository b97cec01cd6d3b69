import type { Command } from "commander";
import { replaceFile } from "../../../base/files.ts";
import { refused } from "../../../protocol/failure.ts";
import type { Machine } from "../../../protocol/machines.ts";
import { withHelper } from "../terminal/session.ts";

/** The command that says how to look at a machine's screen, or takes a picture of it. */
export function addScreenCommand(program: Command): void {
  program
    .command("screen")
    .argument("<name>")
    .description("say where a machine's screen is, for a VNC viewer")
    .option("--picture <file>", "write what it shows now, as PNG")
    .option("--json", "print JSON")
    .action(async (name: string, flags: { json?: boolean; picture?: string }) =>
      withHelper(
        flags,
        async ({ client, signal }) => {
          const machine = name;
          if (flags.picture !== undefined) {
            const params = { machine };
            const { png } = await client.call(
              "machines.screenshot",
              params,
              signal,
            );
            await replaceFile(flags.picture, Buffer.from(png, "base64"));
            return { picture: flags.picture };
          }
          const answer = await client.call("machines.show", { machine });
          return { socket: socketOf(answer.machine) };
        },
        (found) =>
          "picture" in found
            ? undefined
            : [
                found.socket,
                `  TigerVNC       vncviewer ${found.socket}`,
                `  virt-viewer    remote-viewer vnc+unix://${found.socket}`,
                "  the editor     Open Screen, at the machine",
              ].join("\n"),
      ),
    );
}

function socketOf({ name, screen, runtime }: Machine): string {
  if (runtime?.screenSocket !== undefined) return runtime.screenSocket;
  throw refused(
    "machines.wrongState",
    screen ? `“${name}” does not run.` : `“${name}” has no screen.`,
    {
      remedy: screen
        ? `Start it: guesthouse start ${name}.`
        : `Give it one while it is stopped: guesthouse set --screen ${name}.`,
    },
  );
}
