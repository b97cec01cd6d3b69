import { basename, resolve } from "node:path";
import type { Command } from "commander";
import { refused } from "../../../protocol/failure.ts";
import { bytes } from "../terminal/format.ts";
import { withHelper } from "../terminal/session.ts";

export function addCopyCommand(program: Command): void {
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
          client.onNotice("copying.progress", ({ files, bytes: done }) =>
            progress.show("copying", `${String(files)} files · ${bytes(done)}`),
          );
          await client.call(
            "machines.start",
            { machine: copy.machine },
            signal,
          );
          return client.call("copying.path", copy, signal);
        },
        ({ files, bytes: done }) =>
          `Copied ${String(files)} files, ${bytes(done)}.`,
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
