import { randomInt } from "node:crypto";
import { refused } from "../../../protocol/failure.ts";
import type { Architecture } from "../../../protocol/images.ts";
import { assertAnswerFile } from "./answerFileCheck.ts";
import { markerFile } from "./scripts.ts";
import { element, type XmlElement, xmlDocument } from "./xml.ts";

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

/** Characters of `FirstLogonCommands/SynchronousCommand/CommandLine` (Microsoft, "Unattended Windows Setup Reference"). */
const firstLogonLimit = 1024;
/** Characters of `RunSynchronousCommand/Path`, same source. */
const runSynchronousLimit = 259;

/** Letters that the answer medium and the driver CD may have, in setup and later. */
const mediumLetters = ["D", "E", "F", "G", "H", "I"] as const;
const driverLetters = ["D", "E", "F"] as const;
const setupDrivers = ["viostor", "vioscsi", "NetKVM"] as const;

/**
 * `autounattend.xml`. Pure. Throws `request.invalid` for values that Windows would refuse, which it does in silence:
 * a file that it dislikes is left aside, and setup asks everything. For the same reason the result is checked.
 * Source: Microsoft, "Unattended Windows Setup Reference".
 */
export function answerFile(answers: WindowsAnswers): string {
  check(answers);
  const text = xmlDocument(
    element(
      "unattend",
      [
        pass("windowsPE", answers, [
          ["Microsoft-Windows-International-Core-WinPE", peLanguage(answers)],
          [
            "Microsoft-Windows-PnpCustomizationsWinPE",
            [driverPaths(answers.driverSystems)],
          ],
          ["Microsoft-Windows-Setup", setup(answers)],
        ]),
        pass("specialize", answers, [
          ["Microsoft-Windows-Deployment", [specializeCommand()]],
          [
            "Microsoft-Windows-SecureStartup-FilterDriver",
            [element("PreventDeviceEncryption", "true")],
          ],
          [
            "Microsoft-Windows-Shell-Setup",
            [
              element("ComputerName", answers.computerName),
              ...(answers.timezone === undefined
                ? []
                : [element("TimeZone", answers.timezone)]),
            ],
          ],
        ]),
        pass("oobeSystem", answers, [
          ["Microsoft-Windows-International-Core", locales(answers)],
          ["Microsoft-Windows-Shell-Setup", firstDesktop(answers)],
        ]),
      ],
      {
        xmlns: "urn:schemas-microsoft-com:unattend",
        "xmlns:wcm": "http://schemas.microsoft.com/WMIConfig/2002/State",
      },
    ),
  );
  assertAnswerFile(text);
  return text;
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

type Component = readonly [name: string, settings: readonly XmlElement[]];

const pass = (
  name: string,
  { architecture }: WindowsAnswers,
  components: readonly Component[],
): XmlElement =>
  element(
    "settings",
    components.map(([component, settings]) =>
      element("component", settings, {
        name: component,
        processorArchitecture: architecture,
        publicKeyToken: "31bf3856ad364e35",
        language: "neutral",
        versionScope: "nonSxS",
      }),
    ),
    { pass: name },
  );

const added = { "wcm:action": "add" };

const locales = ({ language, inputLocale }: WindowsAnswers): XmlElement[] => [
  element("InputLocale", inputLocale ?? language),
  element("SystemLocale", language),
  element("UILanguage", language),
  element("UserLocale", language),
];

const peLanguage = (answers: WindowsAnswers): XmlElement[] => [
  element("SetupUILanguage", [element("UILanguage", answers.language)]),
  ...locales(answers),
];

/** A path that isn't there is passed over, so all of them stand here (B34). */
function driverPaths(systems: readonly string[]): XmlElement {
  const folders = driverLetters.flatMap((letter) =>
    systems.flatMap((system) => [
      ...setupDrivers.map(
        (driver) => `${letter}:\\${driver}\\${system}\\amd64`,
      ),
      `${letter}:\\amd64\\${system}`,
    ]),
  );
  return element(
    "DriverPaths",
    folders.map((folder, index) =>
      element("PathAndCredentials", [element("Path", folder)], {
        ...added,
        "wcm:keyValue": String(index + 1),
      }),
    ),
  );
}

function setup(answers: WindowsAnswers): XmlElement[] {
  const partition = (order: number, type: string, sizeMiB?: number) =>
    element(
      "CreatePartition",
      [
        element("Order", String(order)),
        element("Type", type),
        sizeMiB === undefined
          ? element("Extend", "true")
          : element("Size", String(sizeMiB)),
      ],
      added,
    );
  const format = (
    order: number,
    settings: Readonly<Record<string, string>>,
  ): XmlElement =>
    element(
      "ModifyPartition",
      [
        element("Order", String(order)),
        element("PartitionID", String(order)),
        ...Object.entries(settings).map(([key, value]) => element(key, value)),
      ],
      added,
    );
  return [
    element("DiskConfiguration", [
      element(
        "Disk",
        [
          element("DiskID", "0"),
          element("WillWipeDisk", "true"),
          element("CreatePartitions", [
            partition(1, "EFI", 260),
            partition(2, "MSR", 16),
            partition(3, "Primary"),
          ]),
          element("ModifyPartitions", [
            format(1, { Format: "FAT32", Label: "System" }),
            format(2, {}),
            format(3, { Format: "NTFS", Label: "Windows", Letter: "C" }),
          ]),
        ],
        added,
      ),
      element("WillShowUI", "OnError"),
    ]),
    element("ImageInstall", [
      element("OSImage", [
        element("InstallFrom", [
          element(
            "MetaData",
            [
              element("Key", "/IMAGE/INDEX"),
              element("Value", String(answers.editionIndex)),
            ],
            added,
          ),
        ]),
        element("InstallTo", [
          element("DiskID", "0"),
          element("PartitionID", "3"),
        ]),
        element("WillShowUI", "OnError"),
      ]),
    ]),
    ...(answers.tpm
      ? []
      : [
          runSynchronous(
            ["BypassTPMCheck", "BypassCPUCheck"].map(
              (value) =>
                `reg.exe add HKLM\\SYSTEM\\Setup\\LabConfig /v ${value} /t REG_DWORD /d 1 /f`,
            ),
          ),
        ]),
    element("UserData", [
      element("AcceptEula", "true"),
      ...(answers.productKey === undefined
        ? []
        : [
            element("ProductKey", [
              element("Key", answers.productKey),
              element("WillShowUI", "OnError"),
            ]),
          ]),
    ]),
  ];
}

function runSynchronous(paths: readonly string[]): XmlElement {
  return element(
    "RunSynchronous",
    paths.map((path, index) => {
      if (path.length > runSynchronousLimit)
        throw new Error(`a command of ${String(path.length)} characters`);
      return element(
        "RunSynchronousCommand",
        [element("Order", String(index + 1)), element("Path", path)],
        added,
      );
    }),
  );
}

/**
 * Finds the medium by its marker, whatever letter it got, and runs one script of it. `%d` and not `%%d`: setup runs it
 * as a command line and not out of a batch file.
 */
export const fromMedium = (script: string): string =>
  `cmd.exe /c "for %d in (${mediumLetters.join(" ")}) do if exist %d:\\${markerFile} powershell.exe -NoProfile -ExecutionPolicy Bypass -File %d:\\${script}.ps1"`;

const specializeCommand = (): XmlElement =>
  runSynchronous([fromMedium("specialize")]);

function firstDesktop({ user, password }: WindowsAnswers): XmlElement[] {
  const command = fromMedium("first-logon");
  if (command.length > firstLogonLimit)
    throw new Error(`a first command of ${String(command.length)} characters`);
  // "Hidden" passwords are base64 of the same: nothing is pretended here. It is removed by the step `autologon`.
  const secret = [element("Value", password), element("PlainText", "true")];
  return [
    element("AutoLogon", [
      element("Enabled", "true"),
      element("LogonCount", "1"),
      element("Username", user),
      element("Password", secret),
    ]),
    element("FirstLogonCommands", [
      element(
        "SynchronousCommand",
        [
          element("Order", "1"),
          element("CommandLine", command),
          element("Description", "Guesthouse: the steps of the first logon"),
          element("RequiresUserInput", "false"),
        ],
        added,
      ),
    ]),
    element("OOBE", [
      element("HideEULAPage", "true"),
      element("HideOnlineAccountScreens", "true"),
      element("HideWirelessSetupInOOBE", "true"),
      element("ProtectYourPC", "3"),
    ]),
    element("UserAccounts", [
      element("LocalAccounts", [
        element(
          "LocalAccount",
          [
            element("Name", user),
            element("Group", "Administrators"),
            element("Password", secret),
          ],
          added,
        ),
      ]),
    ]),
  ];
}

const wrong = (what: string, remedy: string): Error =>
  refused("request.invalid", what, { remedy });

function check(answers: WindowsAnswers): void {
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
