import { createHash } from "node:crypto";
import { failed } from "../../../protocol/failure.ts";
import { isoVolume, type IsoFile } from "../../guests/iso9660.ts";
import { answerFile, type WindowsAnswers } from "./answerFile.ts";
import { openSshPackage } from "./openSsh.ts";
import { scriptFile } from "./powershell.ts";
import {
  manifestDigest,
  markerFile,
  scriptNames,
  type ScriptSources,
  windowsScripts,
} from "./scripts.ts";

/** Label of the answer medium. */
export const mediumLabel = "GUESTHOUSE";

export interface MediumSpec extends WindowsAnswers {
  /** `EditionID` of the chosen edition, e.g. `Professional`. */
  readonly editionId?: string;
  readonly authorizedKeys: readonly string[];
  readonly viosock: boolean;
  /** The package of `openSshPackage`, as it came. */
  readonly openSsh: Uint8Array;
}

/**
 * The files of the medium that answers setup's questions and brings the scripts. Pure. Throws `images.digestMismatch`
 * when the OpenSSH package isn't the pinned one, and `request.invalid` for answers that Windows would refuse.
 */
export function mediumFiles(
  spec: MediumSpec,
  sources: ScriptSources,
  pinned: { readonly sha256: string; readonly file: string } = openSshPackage,
): IsoFile[] {
  const digest = createHash("sha256").update(spec.openSsh).digest("hex");
  if (digest !== pinned.sha256)
    throw failed(
      "images.digestMismatch",
      `The OpenSSH package for Windows is not the pinned one (sha256:${digest}).`,
      {
        remedy: `Fetch it again from ${openSshPackage.url}.`,
        actions: ["retry"],
      },
    );
  const scripts = windowsScripts(
    { ...spec, openSsh: { file: pinned.file, sha256: pinned.sha256 } },
    sources,
  );
  return [
    { name: "autounattend.xml", content: answerFile(spec) },
    { name: markerFile, content: `${manifestDigest(sources)}\r\n` },
    ...scriptNames.map((name) => ({
      name: `${name}.ps1`,
      content: scriptFile(scripts[name]),
    })),
    { name: pinned.file, content: spec.openSsh },
  ];
}

/** The medium itself: a second CD of the machine that is installed. It holds a password: for files of mode 0600 only. */
export const answerMedium = (
  files: readonly IsoFile[],
  madeAt?: Date,
): Buffer => isoVolume(mediumLabel, files, madeAt);
