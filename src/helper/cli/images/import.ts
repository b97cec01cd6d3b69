import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { given } from "../../../base/given.ts";
import { type GuestSystem, guestSystems } from "../../../protocol/images.ts";
import { type JsonFlag, withHelper } from "../terminal/session.ts";
import { watchImages } from "../terminal/waiting.ts";
import { readyText } from "./text.ts";

export function addImport(image: Command): void {
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
            watchImages(session);
            const { name, checksum, user, os, generalized } = flags;
            const params = {
              path: resolve(file),
              ...given({ name, checksum, user, os, generalized }),
            };
            return (
              await session.client.call("images.import", params, session.signal)
            ).image;
          },
          readyText,
        ),
    );
}
