import { resolve } from "node:path";
import { type Command, Option } from "commander";
import {
  type GuestSystem,
  guestSystems,
  type Image,
  type ImageReport,
} from "../../protocol/images.ts";
import { bytes, table } from "./format.ts";
import { showImage } from "./progress.ts";
import { type Session, withHelper } from "./session.ts";
import { addWindowsCommands } from "./windows.ts";

interface JsonFlag {
  readonly json?: boolean;
}

/** `guesthouse image …`. */
export function addImageCommands(program: Command): void {
  const image = program.command("image").description("golden images");

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
            watch(session);
            const params = { name, method, force: flags.force ?? false };
            return (
              await session.client.call("images.pull", params, session.signal)
            ).image;
          },
          readyText,
        ),
      );

  image
    .command("import")
    .argument("<file>", "qcow2, raw, vmdk, vhdx, vdi, or an export")
    .description("make an image of a disk file, or take in an exported one")
    .option("-n, --name <name>", "name of the image")
    .option("--checksum <digest>", "sha256:… or sha512:… of the file")
    .option("-u, --user <name>", "user that machines log in as")
    .addOption(
      new Option(
        "--os <system>",
        "what the disk holds; Windows is taken as it is, with agent and SSH server in it (guesthouse image windows --disk prepares it)",
      ).choices(guestSystems),
    )
    .option(
      "--generalized",
      "Windows on it was generalized with cloudbase-init in it: its machines get a seed (unverified on Windows)",
    )
    .option("--json", "print JSON")
    .action(
      async (
        file: string,
        flags: JsonFlag & {
          name?: string;
          checksum?: string;
          user?: string;
          os?: GuestSystem;
          generalized?: boolean;
        },
      ) =>
        withHelper(
          flags,
          async (session) => {
            watch(session);
            const { name, checksum, user, os, generalized } = flags;
            const params = {
              path: resolve(file),
              ...(name === undefined ? {} : { name }),
              ...(checksum === undefined ? {} : { checksum }),
              ...(user === undefined ? {} : { user }),
              ...(os === undefined ? {} : { os }),
              ...(generalized === undefined ? {} : { generalized }),
            };
            return (
              await session.client.call("images.import", params, session.signal)
            ).image;
          },
          readyText,
        ),
    );

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
          watch(session);
          const { client, signal } = session;
          const path = resolve(file);
          return client.call("images.export", { name, path }, signal);
        },
        ({ path, sizeBytes }) => `${path} (${bytes(sizeBytes)}) holds ${name}.`,
      ),
    );

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
  addWindowsCommands(image);
}

const watch = ({ client, progress }: Session): void =>
  void client.onNotice("images.changed", ({ image }) =>
    showImage(progress, image),
  );

const readyText = (image: Image): string =>
  `Image ${image.name} is ready (${bytes(image.sizeBytes ?? 0)}, ${image.digest?.slice(0, 19) ?? ""}).${isAsItWas(image) ? " Windows in it was taken as it is, and nothing was verified: guesthouse image windows --disk prepares such a disk." : ""}`;

const isAsItWas = ({ os, source }: Image): boolean =>
  os === "windows" &&
  source?.kind === "imported" &&
  source.manifest === undefined;

const listText = (images: readonly Image[]): string =>
  table([
    ["NAME", "STATE", "SIZE", "USED BY", "TITLE"],
    ...images.map((image) => [
      image.name,
      image.state.kind,
      image.sizeBytes === undefined ? "–" : bytes(image.sizeBytes),
      image.usedBy.length === 0 ? "–" : image.usedBy.join(", "),
      image.title,
    ]),
  ]);

const marks = {
  ok: "✓",
  warning: "!",
  error: "✗",
  notApplicable: "–",
} as const;

function reportText({ usable, checks }: ImageReport): string {
  const lines = checks.map(
    ({ outcome, title, detail, remedy }) =>
      `${marks[outcome]} ${title}: ${detail}${remedy === undefined ? "" : ` → ${remedy}`}`,
  );
  return [
    ...lines,
    usable ? "The image is usable." : "The image is NOT usable.",
  ].join("\n");
}
