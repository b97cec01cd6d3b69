import { given } from "../../../../base/given.ts";
import { refused } from "../../../../protocol/failure.ts";
import { efiBootEntry } from "./bootCatalog.ts";
import { type ByteReader, withFile } from "./byteReader.ts";
import { openUdf, type UdfEntry, type UdfVolume } from "./udf.ts";
import {
  type WimArchitecture,
  wimEditions,
  type WindowsEdition,
} from "./wim.ts";

/** What an installation ISO of Windows says of itself. */
export interface WindowsIso {
  readonly sizeBytes: number;
  /** E.g. `sources/install.wim`. */
  readonly installImage: string;
  readonly editions: readonly WindowsEdition[];
  readonly architectures: readonly WimArchitecture[];
  /** Of all editions. */
  readonly languages: readonly string[];
  /** Of the newest edition, e.g. `10.0.26100.1742`. */
  readonly version?: string;
  readonly bootsByUefi: boolean;
  /** Whether it holds the loader that doesn't wait for a key. */
  readonly hasNoPromptLoader: boolean;
}

/** In an ISO whose install image is past 4 GiB it may be split; the first part has the description. */
const installImages = [
  "sources/install.wim",
  "sources/install.esd",
  "sources/install.swm",
] as const;

/** The boot image that doesn't ask, beside the one that does. */
export const noPromptImage = "efi/microsoft/boot/efisys_noprompt.bin";

/**
 * Reads an ISO without mounting or changing it: a few sectors, some folders, and the description of its install image.
 * Throws `images.invalid`, or `request.invalid` when it holds no Windows.
 */
export function inspectWindowsIso(path: string): Promise<WindowsIso> {
  return withFile(path, async (reader) => {
    const volume = await openUdf(reader);
    const { name, entry } = await installImage(volume);
    const editions = await wimEditions(entryReader(volume, entry));
    const versions = editions.flatMap(({ version }) => version ?? []);
    const version = versions.toSorted(byNumbers).at(-1);
    return {
      sizeBytes: reader.sizeBytes,
      installImage: name,
      editions,
      architectures: distinct(editions.map((one) => one.architecture)),
      languages: distinct(editions.flatMap((one) => one.languages)),
      ...given({ version }),
      bootsByUefi: (await efiBootEntry(reader)) !== undefined,
      hasNoPromptLoader: (await volume.find(noPromptImage)) !== undefined,
    };
  });
}

async function installImage(
  volume: UdfVolume,
): Promise<{ name: string; entry: UdfEntry }> {
  for (const name of installImages) {
    const entry = await volume.find(name);
    if (entry !== undefined && !entry.isFolder) return { name, entry };
  }
  throw refused(
    "request.invalid",
    "The ISO is no installation medium of Windows: it has no sources/install.wim and none of its kind.",
    {
      remedy:
        "Take an ISO with the whole of Windows, as Microsoft's download page for it gives; one of drivers or of an upgrade won't do.",
    },
  );
}

const entryReader = (volume: UdfVolume, entry: UdfEntry): ByteReader => ({
  sizeBytes: entry.sizeBytes,
  read: (offset, length) => volume.read(entry, offset, length),
});

const distinct = <T>(all: readonly T[]): T[] => [...new Set(all)];

function byNumbers(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  for (let at = 0; at < 4; at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
