import { given } from "../../../../base/given.ts";
import type { ByteReader } from "./byteReader.ts";
import { failed } from "../../../../protocol/failure.ts";
import { childrenOf, elementAt, parsedXml, type XmlNode } from "./xmlReader.ts";

/** One image of an install.wim: an edition of Windows. */
export interface WindowsEdition {
  /** From 1; what setup is told. */
  readonly index: number;
  /** As setup shows it: `Windows 11 Pro`. */
  readonly name: string;
  /** `Professional`; absent where the image doesn't tell. */
  readonly editionId?: string;
  /** `Client` or `Server`. */
  readonly installationType?: string;
  readonly architecture: WimArchitecture;
  /** `10.0.26100.1742`; absent where the image doesn't tell. */
  readonly version?: string;
  /** The default first. */
  readonly languages: readonly string[];
}

export type WimArchitecture = "x86" | "amd64" | "arm64" | "unknown";

/** PROCESSOR_ARCHITECTURE_* of the Windows SDK. */
const architectures: Readonly<Record<string, WimArchitecture>> = {
  "0": "x86",
  "9": "amd64",
  "12": "arm64",
};

const headerBytes = 208;
const largestXmlBytes = 16 * 2 ** 20;

const invalidWim = (what: string): Error =>
  failed("images.invalid", `The ISO's install image can't be read: ${what}.`, {
    remedy:
      "Check the ISO's checksum against the one on the page that it came from, or download it again.",
  });

/**
 * The editions of an install.wim or install.esd, from its header and its XML, which is never compressed. Throws
 * `images.invalid`. Source: Microsoft, "Windows Imaging File Format (WIM)".
 */
export async function wimEditions(wim: ByteReader): Promise<WindowsEdition[]> {
  if (wim.sizeBytes < headerBytes) throw invalidWim("it is too short");
  const header = await wim.read(0, headerBytes);
  if (header.toString("latin1", 0, 8) !== "MSWIM\0\0\0")
    throw invalidWim("it is no Windows image");
  // Resource header: seven bytes of size and one of flags, offset, original size.
  const size = Number(header.readBigUInt64LE(72) & 0xff_ffff_ffff_ffffn);
  const offset = Number(header.readBigUInt64LE(80));
  if (size > largestXmlBytes || offset + size > wim.sizeBytes)
    throw invalidWim("its description lies outside of it");
  const text = (await wim.read(offset, size))
    .toString("utf16le")
    .replace(/^\ufeff/, "");
  let root: XmlNode;
  try {
    root = parsedXml(text);
  } catch {
    throw invalidWim("its description is damaged");
  }
  const editions = childrenOf(root, "IMAGE").map(edition);
  if (editions.length === 0) throw invalidWim("it holds no edition");
  return editions;
}

function edition(image: XmlNode): WindowsEdition {
  const text = (...path: string[]): string | undefined =>
    elementAt(image, ...path)?.text.trim() || undefined;
  const version = ["MAJOR", "MINOR", "BUILD", "SPBUILD"].map((part) =>
    text("WINDOWS", "VERSION", part),
  );
  const standard = text("WINDOWS", "LANGUAGES", "DEFAULT");
  const languages = childrenOf(
    elementAt(image, "WINDOWS", "LANGUAGES"),
    "LANGUAGE",
  ).map((language) => language.text.trim());
  const editionId = text("WINDOWS", "EDITIONID");
  const installationType = text("WINDOWS", "INSTALLATIONTYPE");
  return {
    index: Number(image.attributes.get("INDEX")),
    name: text("DISPLAYNAME") ?? text("NAME") ?? "",
    architecture: architectures[text("WINDOWS", "ARCH") ?? ""] ?? "unknown",
    languages: [
      ...new Set(standard === undefined ? languages : [standard, ...languages]),
    ],
    ...given({ editionId, installationType }),
    ...(version[2] === undefined
      ? {}
      : { version: version.filter((part) => part !== undefined).join(".") }),
  };
}
