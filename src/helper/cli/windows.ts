import { resolve } from "node:path";
import type { Command } from "commander";
import { visible } from "../../base/visible.ts";
import {
  inspectWindowsIso,
  type WindowsIso,
} from "../images/windows/inspectIso.ts";
import { bytes, table } from "./format.ts";
import { reportFailures } from "./reportFailures.ts";
import { say } from "./session.ts";

/** `guesthouse image inspect`. It only reads a file, so it needs no helper. */
export function addWindowsCommands(image: Command): void {
  image
    .command("inspect")
    .argument("<iso>", "an installation ISO of Windows")
    .description(
      "tell what an installation ISO of Windows holds, without mounting it",
    )
    .option("--json", "print JSON")
    .action(async (iso: string, flags: { json?: boolean }) =>
      reportFailures(flags, async () => {
        say(flags, await inspectWindowsIso(resolve(iso)), isoText);
      }),
    );
}

const isoText = (iso: WindowsIso): string =>
  [
    table([
      ["#", "EDITION", "PROCESSOR", "VERSION", "LANGUAGES"],
      ...iso.editions.map((edition) => [
        String(edition.index),
        visible(edition.name),
        edition.architecture,
        visible(edition.version ?? "–"),
        visible(edition.languages.join(", ")),
      ]),
    ]),
    "",
    `${iso.installImage}, ISO of ${bytes(iso.sizeBytes)}, ${iso.bootsByUefi ? "boots by UEFI" : "does not boot by UEFI"}${iso.hasNoPromptLoader ? ", can start without a key being pressed" : ""}.`,
    "Installing Windows from it is not possible yet.",
  ].join("\n");
