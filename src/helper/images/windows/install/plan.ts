import { refused } from "../../../../protocol/failure.ts";
import { importName } from "../../catalog/importName.ts";
import { driverSystems } from "../steps/driverSystems.ts";
import type { WindowsIso } from "../iso/inspectIso.ts";
import type { WindowsEdition } from "../iso/wim.ts";

/** What the user says of the Windows that is to be installed; the ISO has defaults for all of it. */
export interface InstallChoice {
  /** Number, `EditionID` or name of an edition in the ISO. */
  readonly edition?: string | undefined;
  /** `en-US`; one of the edition's. */
  readonly language?: string | undefined;
  /** Of the image. */
  readonly name?: string | undefined;
  /** Of the account that is made. */
  readonly user?: string | undefined;
}

/** What is going to be installed. */
export interface InstallPlan {
  readonly name: string;
  readonly edition: WindowsEdition;
  readonly language: string;
  readonly computerName: string;
  readonly user: string;
  /** Folder names of this Windows on the driver CD, the best first. */
  readonly driverSystems: readonly string[];
}

export const defaultUser = "dev";

/** Pure. Refuses with `request.invalid` what the ISO doesn't have and what can't be installed here. */
export function planInstall(
  iso: WindowsIso,
  choice: InstallChoice,
): InstallPlan {
  if (!iso.bootsByUefi)
    throw refused("request.invalid", "The ISO doesn't boot by UEFI.", {
      remedy: "Take an ISO of Windows 10, Windows Server 2016 or later.",
    });
  const edition = editionOf(iso.editions, choice.edition);
  const name = importName(choice.name, `${edition.name}.iso`);
  return {
    name,
    edition,
    language: languageOf(edition, choice.language),
    computerName: computerName(name),
    user: choice.user ?? defaultUser,
    driverSystems: driverSystems(edition),
  };
}

/** The edition that is wanted; without a wish the one for work, else the first. */
export function editionOf(
  all: readonly WindowsEdition[],
  wish?: string,
): WindowsEdition {
  const editions = all.filter(({ architecture }) => architecture === "amd64");
  const word = wish?.trim().toLowerCase();
  const found =
    word === undefined
      ? (editions.find(({ editionId }) => editionId === "Professional") ??
        editions[0])
      : editions.find((edition) =>
          [String(edition.index), edition.editionId, edition.name].some(
            (name) => name?.toLowerCase() === word,
          ),
        );
  if (found !== undefined) return found;
  if (editions.length === 0)
    throw refused(
      "request.invalid",
      "The ISO holds no Windows for 64-bit Intel and AMD processors.",
      { remedy: "Take one that does (its name has x64 in it)." },
    );
  throw refused("request.invalid", `The ISO has no edition “${wish ?? ""}”.`, {
    remedy: `Choose one of ${editions.map(({ index, name }) => `${String(index)} (${name})`).join(", ")}.`,
  });
}

function languageOf(
  { name, languages }: WindowsEdition,
  wish?: string,
): string {
  const found =
    wish === undefined
      ? languages[0]
      : languages.find((one) => one.toLowerCase() === wish.toLowerCase());
  if (found !== undefined) return found;
  // Setup takes an answer file in another language for none at all.
  throw refused(
    "request.invalid",
    wish === undefined
      ? `The ISO doesn't tell the language of ${name}.`
      : `${name} is not in the ISO in the language “${wish}”.`,
    {
      remedy:
        languages.length === 0
          ? "Name it as Microsoft does, such as en-US."
          : `Choose one of ${languages.join(", ")}, or take another ISO.`,
    },
  );
}

/** At most 15 letters, digits and hyphens, not only digits. */
const computerName = (name: string): string =>
  `WIN-${name}`
    .toUpperCase()
    .replaceAll(/[^A-Z0-9-]+/g, "-")
    .slice(0, 15)
    .replace(/-+$/, "");
