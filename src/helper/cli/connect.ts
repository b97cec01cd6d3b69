import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { sleep } from "../../base/deadline.ts";
import { remotePath } from "../../base/remotePath.ts";
import { failed, refused } from "../../protocol/failure.ts";
import { bytes } from "./format.ts";
import { showImage, showMachine } from "./progress.ts";
import { withHelper } from "./session.ts";

/** Commands that reach into a guest: ssh, cp, log, open. */
export function addConnectCommands(program: Command): void {
  program
    .command("ssh")
    .argument("<name>")
    .argument("[command...]", "run this instead of a shell; put -- before it")
    .description("log in, or run a command with its own streams and exit code")
    .action(async (name: string, command: string[]) => {
      let exitCode = 0;
      await withHelper(
        {},
        async ({ client, progress, signal }) => {
          client.onNotice("machines.changed", ({ machine }) => {
            if (machine.name === name || machine.alias === name)
              showMachine(progress, machine);
          });
          await client.call("machines.start", { machine: name }, signal);
          const { access } = await client.call("ssh.access", { machine: name });
          progress.stop();
          exitCode = await inherit("ssh", [
            "-F",
            access.configFile,
            access.alias,
            ...(command.length === 0 ? [] : ["--", ...command]),
          ]);
        },
        () => undefined,
      );
      if (exitCode !== 0) process.exitCode = exitCode;
    });

  program
    .command("cp")
    .argument("<source>", "path, or NAME:path")
    .argument("<target>", "path, or NAME:path")
    .description("copy files or folders into or out of a guest")
    .option("--json", "print JSON")
    .action(async (source: string, target: string, flags: { json?: boolean }) =>
      withHelper(
        flags,
        async ({ client, progress, signal }) => {
          const copy = sides(source, target);
          client.onNotice("workspaces.copied", ({ files, bytes: done }) =>
            progress.show("copying", `${String(files)} files · ${bytes(done)}`),
          );
          await client.call(
            "machines.start",
            { machine: copy.machine },
            signal,
          );
          return client.call("workspaces.copy", copy, signal);
        },
        ({ files, bytes: done }) =>
          `Copied ${String(files)} files, ${bytes(done)}.`,
      ),
    );

  program
    .command("log")
    .argument("<name>", "machine, or the id of a deleted one")
    .description("print a machine's boot log")
    .option("-f, --follow", "go on printing")
    .option("--json", "print JSON")
    .action(async (name: string, flags: { follow?: boolean; json?: boolean }) =>
      withHelper(
        flags,
        async ({ client, signal }) => {
          let offset = 0;
          let whole = "";
          for (;;) {
            const { text, nextOffset, complete } = await client.call(
              "machines.log",
              { machine: name, offset },
              signal,
            );
            offset = nextOffset;
            if (flags.json === true) whole += text;
            else process.stdout.write(text);
            if (!complete) continue;
            if (flags.follow !== true) return { text: whole };
            await sleep(250, signal);
          }
        },
        () => undefined,
      ),
    );

  program
    .command("ssh-config")
    .description("make `ssh gh-<name>` work everywhere, by one Include line")
    .option("--remove", "take the line back")
    .option("--file <path>", "ssh config to change, default ~/.ssh/config")
    .option("--json", "print JSON")
    .action(
      async (flags: { remove?: boolean; file?: string; json?: boolean }) =>
        withHelper(
          flags,
          ({ client, signal }) =>
            client.call(
              "ssh.include",
              {
                wanted: flags.remove !== true,
                ...(flags.file === undefined
                  ? {}
                  : { configFile: resolve(flags.file) }),
              },
              signal,
            ),
          ({ included, configFile }) =>
            included
              ? `${configFile} includes Guesthouse's machines.`
              : `${configFile} does not mention Guesthouse any more.`,
        ),
    );

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

/** Exactly one side names a machine: `NAME:path`. A single letter is a Windows drive, not a machine. */
function sides(
  source: string,
  target: string,
): {
  machine: string;
  direction: "in" | "out";
  source: string;
  target: string;
} {
  const from = /^([a-z0-9-]{2,}):(.*)$/.exec(source);
  const to = /^([a-z0-9-]{2,}):(.*)$/.exec(target);
  if (from === null && to !== null)
    return {
      machine: to[1] ?? "",
      direction: "in",
      source: resolve(source),
      target: to[2] === "" || to[2] === undefined ? basename(source) : to[2],
    };
  if (from !== null && to === null)
    return {
      machine: from[1] ?? "",
      direction: "out",
      source: from[2] ?? "",
      target: resolve(target),
    };
  throw refused(
    "request.invalid",
    "Exactly one side of the copy must be in a guest.",
    {
      remedy:
        "Write it as NAME:path, for example: guesthouse cp notes.txt web:notes.txt",
    },
  );
}

const passedOn = ["SIGTERM", "SIGHUP"] as const;

/** Runs a program on our own terminal; answers its exit code, 128 + n after signal n, as shells do. */
export async function inherit(
  program: string,
  args: readonly string[],
): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit" });
  // Ctrl-C belongs to the program in the foreground.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  // Of these it hears by us only.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of passedOn) process.on(signal, pass);
  try {
    const [code, signal] = (await once(child, "exit")) as [
      number | null,
      NodeJS.Signals | null,
    ];
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } catch (error) {
    throw failed("host.toolMissing", `“${program}” could not be run.`, {
      remedy: `Install ${program === "ssh" ? "the OpenSSH client" : program} and try again.`,
      cause: error,
    });
  } finally {
    process.removeListener("SIGINT", ignore);
    for (const signal of passedOn) process.removeListener(signal, pass);
  }
}
