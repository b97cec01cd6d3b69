import { randomInt } from "node:crypto";
import { refused } from "../../../../protocol/failure.ts";
import type { Architecture } from "../../../../protocol/images.ts";

/** What setup is answered. */
export interface WindowsAnswers {
  readonly architecture: Architecture;
  /** Of setup and of Windows, as the ISO has it: `en-US`. */
  readonly language: string;
  /** Keyboard, e.g. `de-DE` or `0407:00000407`; default the language. */
  readonly inputLocale?: string;
  /** Of the image in install.wim that is installed, from 1. */
  readonly editionIndex: number;
  readonly computerName: string;
  readonly user: string;
  readonly password: string;
  /** `XXXXX-XXXXX-XXXXX-XXXXX-XXXXX`; Windows is installed without one too. */
  readonly productKey?: string;
  /** As Windows names it: `W. Europe Standard Time`. */
  readonly timezone?: string;
  /** Folder names of this Windows on the driver CD, the best first: `w11`. */
  readonly driverSystems: readonly string[];
  /** Without one, setup's check for it is bypassed. */
  readonly tpm: boolean;
}

/** A password that meets every complexity rule of Windows, new for each image. */
export function randomPassword(): string {
  const kinds = [
    "abcdefghijkmnopqrstuvwxyz",
    "ABCDEFGHJKLMNPQRSTUVWXYZ",
    "23456789",
    "-_.+",
  ];
  const all = kinds.join("");
  const pick = (from: string): string => from[randomInt(from.length)] ?? "";
  const random = Array.from({ length: 24 }, () => pick(all)).join("");
  // Each kind once, whatever chance gave.
  return `${random}${kinds.map(pick).join("")}`;
}

const wrong = (what: string, remedy: string): Error =>
  refused("request.invalid", what, { remedy });

/** Throws `request.invalid` for what setup would refuse, which it does in silence. */
export function requireAnswers(answers: WindowsAnswers): void {
  const { architecture, computerName, user, language, productKey } = answers;
  if (architecture !== "amd64")
    throw wrong(
      "Windows for ARM can't be installed by Guesthouse.",
      "Take an ISO for 64-bit Intel and AMD processors.",
    );
  if (
    !/^(?!\d+$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?$/.test(
      computerName,
    )
  )
    throw wrong(
      `“${computerName}” is no name for a Windows computer.`,
      "Take up to 15 letters, digits and hyphens, not digits only.",
    );
  requireAccountName(user);
  if (
    reservedUsers.has(user.toLowerCase()) ||
    user.toLowerCase() === computerName.toLowerCase()
  )
    throw wrong(
      `“${user}” is no name for a new Windows account.`,
      "Take neither the computer's name nor one of Windows' own accounts.",
    );
  if (!/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})+$/.test(language))
    throw wrong(
      `“${language}” is no language of Windows.`,
      "Take one that the ISO has, such as en-US.",
    );
  if (
    productKey !== undefined &&
    !/^[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}$/.test(productKey)
  )
    throw wrong(
      "The product key is not five groups of five letters and digits.",
      "Check it, or leave it out: Windows can be activated later.",
    );
  if (!Number.isInteger(answers.editionIndex) || answers.editionIndex < 1)
    throw wrong(
      `There is no edition number ${String(answers.editionIndex)}.`,
      "Editions are counted from 1.",
    );
}

/** Throws `request.invalid` for what Windows would not take as an account's name; whether there is one is another matter. */
export function requireAccountName(user: string): void {
  if (
    !/^[^"/\\[\]:;|=,+*?<>@%\p{Cc}]{1,20}$/u.test(user) ||
    /^[. ]|[. ]$/.test(user)
  )
    throw wrong(
      `“${user}” is no name for a Windows account.`,
      'Take up to 20 characters without any of " / \\ [ ] : ; | = , + * ? < > @ %.',
    );
}

const reservedUsers = new Set([
  "administrator",
  "guest",
  "defaultaccount",
  "wdagutilityaccount",
  "system",
  "network service",
  "local service",
  "none",
]);
