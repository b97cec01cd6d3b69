import { resolve } from "node:path";
import type { Command } from "commander";
import { bytes } from "../terminal/format.ts";
import { type JsonFlag, withHelper } from "../terminal/session.ts";
import { watchImages } from "../terminal/waiting.ts";
import { addImport } from "./import.ts";
import { addInspect } from "./inspect.ts";
import { listText, readyText, reportText } from "./text.ts";
import { addWindows } from "./windows.ts";

/** `guesthouse image …`. */
export function addImageCommands(program: Command): void {
  const image = program.command("image").description("golden images");
  addList(image);
  addPull(image);
  addImport(image);
  addExport(image);
  addValidate(image);
  addDelete(image);
  addInspect(image);
  addWindows(image);
  addCancel(image);
}

function addList(image: Command): void {
  image
    .command("list")
    .alias("ls")
    .description("list images that are here or in the catalog")
    .option("--json", "print JSON")
    .action(async (flags: JsonFlag) =>
      withHelper(
        flags,
        async ({ client }) => (await client.call("images.list", {})).images,
        listText,
      ),
    );
}

/** `guesthouse image pull` and `build`. */
function addPull(image: Command): void {
  for (const [verb, method, description] of [
    [
      "pull",
      "auto",
      "bring a catalog image here: download it, or build it where the download can't be reached",
    ],
    ["build", "build", "build an image from its distribution's package mirror"],
  ] as const)
    image
      .command(verb)
      .argument("<name>")
      .description(description)
      .option("-f, --force", "make it anew although it is here or in the cache")
      .option("--json", "print JSON")
      .action(async (name: string, flags: JsonFlag & { force?: boolean }) =>
        withHelper(
          flags,
          async (session) => {
            watchImages(session);
            const params = { name, method, force: flags.force ?? false };
            return (
              await session.client.call("images.pull", params, session.signal)
            ).image;
          },
          readyText,
        ),
      );
}

function addExport(image: Command): void {
  image
    .command("export")
    .argument("<name>")
    .argument("<file>", "must not exist yet")
    .description("write an image as one file, to import it elsewhere")
    .option("--json", "print JSON")
    .action(async (name: string, file: string, flags: JsonFlag) =>
      withHelper(
        flags,
        (session) => {
          watchImages(session);
          const { client, signal } = session;
          const path = resolve(file);
          return client.call("images.export", { name, path }, signal);
        },
        ({ path, sizeBytes }) => `${path} (${bytes(sizeBytes)}) holds ${name}.`,
      ),
    );
}

function addValidate(image: Command): void {
  image
    .command("validate")
    .argument("<name>")
    .description("check an image and print the report")
    .option("--json", "print JSON")
    .action(async (name: string, flags: JsonFlag) =>
      withHelper(
        flags,
        async ({ client, signal }) =>
          (await client.call("images.validate", { name }, signal)).report,
        reportText,
      ),
    );
}

function addDelete(image: Command): void {
  image
    .command("delete")
    .alias("rm")
    .argument("<name>")
    .description("delete an image that no machine stands on")
    .option("--json", "print JSON")
    .action(async (name: string, flags: JsonFlag) =>
      withHelper(
        flags,
        ({ client, signal }) => client.call("images.delete", { name }, signal),
        ({ freedBytes }) => `Deleted ${name}; ${bytes(freedBytes)} freed.`,
      ),
    );
}

function addCancel(image: Command): void {
  image
    .command("cancel")
    .argument("<name>")
    .description(
      "end the work on an image: a download, a build, an installation",
    )
    .option("--json", "print JSON")
    .action(async (name: string, flags: { json?: boolean }) =>
      withHelper(
        flags,
        ({ client, signal }) => client.call("images.cancel", { name }, signal),
        ({ cancelled }) =>
          cancelled
            ? `The work on ${name} was ended.`
            : `Nobody works on ${name}.`,
      ),
    );
}
