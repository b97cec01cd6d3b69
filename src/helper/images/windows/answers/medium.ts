import { createHash } from "node:crypto";
import { failed } from "../../../../protocol/failure.ts";
import { isoVolume, type IsoFile } from "../../../guests/seed/iso9660.ts";
import { answerFile } from "./answerFile.ts";
import type { WindowsAnswers } from "./answers.ts";
import { openSshPackage } from "../steps/openSsh.ts";
import { scriptFile } from "../../../guests/programs/powershell.ts";
import {
  manifestDigest,
  markerFile,
  scriptNames,
  type ScriptSources,
  windowsScripts,
  type WindowsValues,
} from "../steps/scripts.ts";

/** Label of the answer medium. */
export const mediumLabel = "GUESTHOUSE";

export interface MediumSpec extends WindowsAnswers, Omit<StepsSpec, "tpm"> {}

export interface StepsSpec extends Omit<WindowsValues, "openSsh"> {
  /** The package of `openSshPackage`, as it came. */
  readonly openSsh: Uint8Array;
}

type Pinned = Readonly<Record<"sha256" | "file", string>>;

/**
 * The files of the medium that answers setup's questions and brings the scripts. Pure. Throws as `stepFiles` does, and
 * `request.invalid` for answers that Windows would refuse.
 */
export const mediumFiles = (
  spec: MediumSpec,
  sources: ScriptSources,
  pinned?: Pinned,
): IsoFile[] => [
  { name: "autounattend.xml", content: answerFile(spec) },
  ...stepFiles(spec, sources, pinned),
];

/**
 * The same without answers: the steps for a disk that came with Windows. A generalized one would take answers from any
 * medium at its first start. Pure. Throws `images.digestMismatch` when the OpenSSH package isn't the pinned one.
 */
export function stepFiles(
  spec: StepsSpec,
  sources: ScriptSources,
  pinned: Pinned = openSshPackage,
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
