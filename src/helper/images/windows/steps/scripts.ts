import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { driverBuilds } from "./driverSystems.ts";
import {
  encodedScript,
  powerShellLiteral,
} from "../../../guests/programs/powershell.ts";
import {
  readStepSources,
  type StepSources,
  type WindowsStep,
  windowsSteps,
} from "./steps.ts";

/** Scripts on the answer medium; each begins with the same values, tools and steps, and ends in its own. */
export const scriptNames = [
  "specialize",
  "first-logon",
  "verify",
  "remediate",
  "begin",
] as const;
export type ScriptName = (typeof scriptNames)[number];

/** What the steps need to know of the image that is made. */
export interface WindowsValues {
  /** Empty, as the language: whatever it is. */
  readonly computerName: string;
  readonly user: string;
  /** As the ISO has it: `en-US`. */
  readonly language: string;
  /** `EditionID` of the registry, e.g. `Professional`; undefined where the ISO doesn't tell. */
  readonly editionId?: string;
  /** Public key lines. */
  readonly authorizedKeys: readonly string[];
  /** Whether the machine has a TPM. */
  readonly tpm: boolean;
  readonly viosock: boolean;
  /** Folder names of this Windows on the driver CD, the best first: `w11`. Empty: Windows finds out what it is. */
  readonly driverSystems: readonly string[];
  /** The OpenSSH package on the medium. */
  readonly openSsh: { readonly file: string; readonly sha256: string };
  /** Names the preparation of a disk that came with Windows; absent in an installation. */
  readonly preparation?: string;
}

/** The file that tells the answer medium from other drives. */
export const markerFile = "guesthouse.tag";

/** Everything in `resources/windows` that the scripts are made of. */
export interface ScriptSources extends StepSources {
  readonly prelude: string;
  readonly healNic: string;
  readonly ends: Readonly<Record<ScriptName, string>>;
}

export async function readScriptSources(
  resources: string,
): Promise<ScriptSources> {
  const read = (name: string): Promise<string> =>
    readFile(join(resources, "windows", `${name}.ps1`), "utf8");
  return {
    ...(await readStepSources(resources)),
    prelude: await read("prelude"),
    healNic: await read("heal-nic"),
    ends: {
      specialize: await read("specialize"),
      "first-logon": await read("first-logon"),
      verify: await read("verify"),
      remediate: await read("remediate"),
      begin: await read("begin"),
    },
  };
}

/** Digest (hex) of all that the scripts are made of but the values of one image. Pure. */
export function manifestDigest(sources: ScriptSources): string {
  const hash = createHash("sha256");
  for (const text of [
    sources.manifest,
    sources.prelude,
    sources.healNic,
    ...scriptNames.map((name) => sources.ends[name]),
    ...Object.entries(sources.scripts).flat(),
  ])
    hash.update(text).update("\0");
  return hash.digest("hex");
}

/** The scripts' texts. Pure: the same values and sources give the same bytes. */
export function windowsScripts(
  values: WindowsValues,
  sources: ScriptSources,
): Record<ScriptName, string> {
  const steps = windowsSteps(sources);
  const head = [
    `$Guesthouse = ${powerShellLiteral({
      ComputerName: values.computerName,
      User: values.user,
      Language: values.language,
      EditionId: values.editionId ?? "",
      AuthorizedKeys: values.authorizedKeys,
      Tpm: values.tpm,
      Viosock: values.viosock,
      DriverSystems: values.driverSystems,
      DriverBuilds: driverBuilds,
      OpenSsh: { File: values.openSsh.file, Sha256: values.openSsh.sha256 },
      Marker: markerFile,
      Preparation: values.preparation ?? "",
      Manifest: manifestDigest(sources),
      HealNic: encodedScript(sources.healNic),
    })}`,
    sources.prelude,
    "$Steps = @(",
    steps.map(stepTable).join(",\n"),
    ")",
  ].join("\n");
  const whole = (name: ScriptName): string => `${head}\n${sources.ends[name]}`;
  return {
    specialize: whole("specialize"),
    "first-logon": whole("first-logon"),
    verify: whole("verify"),
    remediate: whole("remediate"),
    begin: whole("begin"),
  };
}

function stepTable({ id, phase, title, parts }: WindowsStep): string {
  const block = (body: string): string => `{\n${body}  }`;
  return [
    "@{",
    `  Id = ${powerShellLiteral(id)}`,
    `  Phase = ${powerShellLiteral(phase)}`,
    `  Title = ${powerShellLiteral(title)}`,
    `  Install = ${parts.install === undefined ? "$null" : block(parts.install)}`,
    `  Verify = ${block(parts.verify)}`,
    `  Remediate = ${block(parts.remediate)}`,
    "}",
  ].join("\n");
}
