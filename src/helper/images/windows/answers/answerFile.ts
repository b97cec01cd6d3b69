import { assertAnswerFile } from "./answerFileCheck.ts";
import { requireAnswers, type WindowsAnswers } from "./answers.ts";
import { markerFile } from "../steps/scripts.ts";
import { element, type XmlElement, xmlDocument } from "./xml.ts";

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
  requireAnswers(answers);
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
  return [
    diskConfiguration(),
    imageInstall(answers),
    ...(answers.tpm ? [] : [bypassedChecks()]),
    userData(answers),
  ];
}

const createPartition = (
  order: number,
  type: string,
  sizeMiB?: number,
): XmlElement =>
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

const formatPartition = (
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

const diskConfiguration = (): XmlElement =>
  element("DiskConfiguration", [
    element(
      "Disk",
      [
        element("DiskID", "0"),
        element("WillWipeDisk", "true"),
        element("CreatePartitions", [
          createPartition(1, "EFI", 260),
          createPartition(2, "MSR", 16),
          createPartition(3, "Primary"),
        ]),
        element("ModifyPartitions", [
          formatPartition(1, { Format: "FAT32", Label: "System" }),
          formatPartition(2, {}),
          formatPartition(3, { Format: "NTFS", Label: "Windows", Letter: "C" }),
        ]),
      ],
      added,
    ),
    element("WillShowUI", "OnError"),
  ]);

const imageInstall = ({ editionIndex }: WindowsAnswers): XmlElement =>
  element("ImageInstall", [
    element("OSImage", [
      element("InstallFrom", [
        element(
          "MetaData",
          [
            element("Key", "/IMAGE/INDEX"),
            element("Value", String(editionIndex)),
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
  ]);

const bypassedChecks = (): XmlElement =>
  runSynchronous(
    ["BypassTPMCheck", "BypassCPUCheck"].map(
      (value) =>
        `reg.exe add HKLM\\SYSTEM\\Setup\\LabConfig /v ${value} /t REG_DWORD /d 1 /f`,
    ),
  );

const userData = ({ productKey }: WindowsAnswers): XmlElement =>
  element("UserData", [
    element("AcceptEula", "true"),
    ...(productKey === undefined
      ? []
      : [
          element("ProductKey", [
            element("Key", productKey),
            element("WillShowUI", "OnError"),
          ]),
        ]),
  ]);

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
