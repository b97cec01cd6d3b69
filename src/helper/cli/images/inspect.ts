import { resolve } from "node:path";
import type { Command } from "commander";
import { visible } from "../../../base/visible.ts";
import {
  inspectWindowsIso,
  type WindowsIso,
} from "../../images/windows/iso/inspectIso.ts";
import { bytes, table } from "../terminal/format.ts";
import { reportFailures } from "../terminal/reportFailures.ts";
import { say } from "../terminal/session.ts";

/** `guesthouse image inspect`, which only reads a file and needs no helper. */
export function addInspect(image: Command): void {
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
    "guesthouse image windows installs one of them (unverified on Windows).",
  ].join("\n");
