import { bug } from "../../../../protocol/failure.ts";
import { parsedXml, type XmlNode } from "../iso/xmlReader.ts";

/** A setting: `true` for text, else its children. `*` before a name: it may be there several times, and is added. */
type Settings = { readonly [name: string]: true | Settings };

const locales: Settings = {
  InputLocale: true,
  SystemLocale: true,
  UILanguage: true,
  UserLocale: true,
};
const password: Settings = { Value: true, PlainText: true };
const commands: Settings = {
  "*RunSynchronousCommand": { Order: true, Path: true },
};

/**
 * Passes in their order, their components and settings. The schema that Microsoft publishes takes names that nobody
 * ever heard of, so only what is known to be right stands here: what the generator writes, as the "Unattended Windows
 * Setup Reference" spells it.
 */
const allowed: Readonly<Record<string, Readonly<Record<string, Settings>>>> = {
  windowsPE: {
    "Microsoft-Windows-International-Core-WinPE": {
      SetupUILanguage: { UILanguage: true },
      ...locales,
    },
    "Microsoft-Windows-PnpCustomizationsWinPE": {
      DriverPaths: { "*PathAndCredentials": { Path: true } },
    },
    "Microsoft-Windows-Setup": {
      DiskConfiguration: {
        "*Disk": {
          DiskID: true,
          WillWipeDisk: true,
          CreatePartitions: {
            "*CreatePartition": {
              Order: true,
              Type: true,
              Size: true,
              Extend: true,
            },
          },
          ModifyPartitions: {
            "*ModifyPartition": {
              Order: true,
              PartitionID: true,
              Format: true,
              Label: true,
              Letter: true,
            },
          },
        },
        WillShowUI: true,
      },
      ImageInstall: {
        OSImage: {
          InstallFrom: { "*MetaData": { Key: true, Value: true } },
          InstallTo: { DiskID: true, PartitionID: true },
          WillShowUI: true,
        },
      },
      RunSynchronous: commands,
      UserData: {
        AcceptEula: true,
        ProductKey: { Key: true, WillShowUI: true },
      },
    },
  },
  specialize: {
    "Microsoft-Windows-Deployment": { RunSynchronous: commands },
    "Microsoft-Windows-SecureStartup-FilterDriver": {
      PreventDeviceEncryption: true,
    },
    "Microsoft-Windows-Shell-Setup": { ComputerName: true, TimeZone: true },
  },
  oobeSystem: {
    "Microsoft-Windows-International-Core": locales,
    "Microsoft-Windows-Shell-Setup": {
      AutoLogon: {
        Enabled: true,
        LogonCount: true,
        Username: true,
        Password: password,
      },
      FirstLogonCommands: {
        "*SynchronousCommand": {
          Order: true,
          CommandLine: true,
          Description: true,
          RequiresUserInput: true,
        },
      },
      OOBE: {
        HideEULAPage: true,
        HideOnlineAccountScreens: true,
        HideWirelessSetupInOOBE: true,
        ProtectYourPC: true,
      },
      UserAccounts: {
        LocalAccounts: {
          "*LocalAccount": { Name: true, Group: true, Password: password },
        },
      },
    },
  },
};

/** Throws `bug` with what is wrong: setup would leave such a file aside without a word. */
export function assertAnswerFile(text: string): void {
  const faults = answerFileFaults(text);
  if (faults.length > 0)
    throw bug(`The Windows answer file is wrong: ${faults.join("; ")}.`);
}

/** What keeps a text from being an answer file that is known to be right. Pure. */
export function answerFileFaults(text: string): string[] {
  let root: XmlNode;
  try {
    root = parsedXml(text);
  } catch (error) {
    return [
      `it is no well-formed XML (${error instanceof Error ? error.message : String(error)})`,
    ];
  }
  if (
    root.name !== "unattend" ||
    root.namespace !== "urn:schemas-microsoft-com:unattend"
  )
    return [`its root is ${root.name}`];
  const passes = root.children;
  return [
    ...orderFaults(passes.map((pass) => pass.attributes.get("pass") ?? "")),
    ...passes.flatMap(passFaults),
  ];
}

function orderFaults(names: readonly string[]): string[] {
  const order = Object.keys(allowed);
  const places = names.map((name) => order.indexOf(name));
  return places.every((place, at) => at === 0 || (places[at - 1] ?? 0) < place)
    ? []
    : [`the passes come as ${names.join(", ")}`];
}

function passFaults(pass: XmlNode): string[] {
  const name = pass.attributes.get("pass") ?? "";
  const components = allowed[name];
  if (pass.name !== "settings" || components === undefined)
    return [`there is no pass <${pass.name} pass="${name}">`];
  const seen = new Set<string>();
  return pass.children.flatMap((component) => {
    const id = component.attributes.get("name") ?? "";
    const settings = Object.hasOwn(components, id) ? components[id] : undefined;
    if (component.name !== "component" || settings === undefined)
      return [`${name} has no component ${id}`];
    if (seen.has(id)) return [`${name} has ${id} twice`];
    seen.add(id);
    return settingFaults(component, settings, `${name}/${id}`);
  });
}

function settingFaults(
  parent: XmlNode,
  settings: Settings,
  path: string,
): string[] {
  const seen = new Set<string>();
  return [
    ...contiguityFaults(parent, path),
    ...parent.children.flatMap((child) => {
      const name = child.name;
      const at = `${path}/${name}`;
      const many = Object.hasOwn(settings, `*${name}`);
      if (!many && !Object.hasOwn(settings, name)) return [`${at} is unknown`];
      if (!many && seen.has(name)) return [`${at} is there twice`];
      seen.add(name);
      if (many && child.attributes.get("wcm:action") !== "add")
        return [`${at} isn't added`];
      const inner = settings[many ? `*${name}` : name];
      if (inner === undefined) return [];
      if (inner !== true) return settingFaults(child, inner, at);
      return child.children.length === 0 ? [] : [`${at} holds no text`];
    }),
  ];
}

/** Setup runs commands by their `Order`, and takes a gap or a pair for a fault. */
function contiguityFaults(parent: XmlNode, path: string): string[] {
  const orders = parent.children.flatMap((child) =>
    child.children
      .filter(({ name }) => name === "Order")
      .map((order) => Number(order.text)),
  );
  return orders.every((order, index) => order === index + 1)
    ? []
    : [`${path} has the orders ${orders.join(", ")}`];
}
