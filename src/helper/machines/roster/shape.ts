/*
 * What a machine is made of where nothing else is asked for: image, processors, memory, disk, screen. A template fits
 * a machine only when both have the same shape, so all who make either of them ask here.
 */
import { cpus as hostCpus, totalmem } from "node:os";
import { given } from "../../../base/given.ts";
import { refused } from "../../../protocol/failure.ts";
import type { GuestSystem } from "../../../protocol/images.ts";
import type { TemplateShape } from "../../../protocol/templates.ts";
import type { ImageDefaults } from "../../images/golden/defaults.ts";
import type { GoldenImage } from "../../images/golden/goldenImage.ts";
import type { MachineRecord } from "../../store/records.ts";

export const defaultImage = "debian-12";
const defaultDiskGiB = 20;
const gib = 1024 ** 3;

interface Wanted {
  readonly cpus?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly diskGiB?: number | undefined;
  readonly user?: string | undefined;
  readonly screen?: boolean | undefined;
}

type Suit = (
  params: Wanted,
  image: GoldenImage,
) => Partial<MachineRecord> & Pick<MachineRecord, "os">;

/** What a machine is beside what was asked for, by what runs in it. */
export const suitedTo: Readonly<Record<GuestSystem, Suit>> = {
  linux: (wanted, { defaults }) => ({
    os: "linux",
    ...given({ memoryMiB: wanted.memoryMiB ?? memoryOf(defaults) }),
  }),
  windows: (wanted, { name, defaultUser, generalized }) => {
    if (wanted.user !== undefined && wanted.user !== defaultUser)
      throw refused(
        "machines.badRequest",
        `Windows gets no other user than that of its image: “${name}” has ${defaultUser}.`,
        { remedy: "Leave the user out, and add others within Windows." },
      );
    return {
      os: "windows",
      ...(generalized === true ? { generalized } : {}),
      // Without one, what it waits for could not be seen.
      screen: wanted.screen ?? true,
      memoryMiB: wanted.memoryMiB ?? Math.max(4096, defaultMemoryMiB()),
    };
  },
};

/** Of a machine where nothing else is asked for. */
export const usualSize = (
  wanted: Wanted = {},
): Omit<TemplateShape, "user"> => ({
  cpus: wanted.cpus ?? Math.min(2, hostCpus().length),
  memoryMiB: wanted.memoryMiB ?? defaultMemoryMiB(),
  diskGiB: wanted.diskGiB ?? defaultDiskGiB,
});

/** What a machine of this image gets where nothing else is asked for. */
export function shapeFor(wanted: Wanted, image: GoldenImage): TemplateShape {
  const suited = { ...wanted, ...suitedTo[image.os](wanted, image) };
  return {
    ...usualSize(suited),
    ...fitTo(wanted, image),
    ...screenShape(suited.screen),
  };
}

export function fitTo(
  params: Wanted,
  image: GoldenImage,
): Pick<MachineRecord, "user" | "diskGiB"> {
  const smallestGiB = image.virtualSizeBytes / gib;
  if (params.diskGiB !== undefined && params.diskGiB < smallestGiB)
    throw refused(
      "machines.badRequest",
      `A disk of ${String(params.diskGiB)} GiB is too small for “${image.name}”, which needs ${smallestGiB.toFixed(1)} GiB.`,
      {
        remedy:
          "Ask for a larger disk; it takes only the room that the guest fills.",
      },
    );
  return {
    user: params.user ?? image.defaultUser,
    diskGiB: Math.max(
      params.diskGiB ?? image.defaults?.diskGiB ?? defaultDiskGiB,
      Math.ceil(smallestGiB),
    ),
  };
}

export const shapeOf = ({
  cpus,
  memoryMiB,
  diskGiB,
  user,
  screen,
}: Pick<
  MachineRecord,
  "cpus" | "memoryMiB" | "diskGiB" | "user" | "screen"
>): TemplateShape => ({
  ...{ cpus, memoryMiB, diskGiB, user },
  ...screenShape(screen),
});

/** Absent, not false, where there is none: templates without a screen keep their ids. */
export const screenShape = (
  screen: boolean | undefined,
): Pick<TemplateShape, "screen"> => (screen === true ? { screen } : {});

/** A quarter of the host's memory, within the bounds that the image gives; undefined where it gives none. */
const memoryOf = (defaults: ImageDefaults | undefined): number | undefined =>
  defaults?.memoryMiB === undefined
    ? undefined
    : Math.max(
        defaults.memoryMiB.least,
        Math.min(defaults.memoryMiB.most, quarterMiB()),
      );

const quarterMiB = (): number => Math.floor(totalmem() / 4 / 1024 ** 2);

/** 2 GiB, or less on a host that has less than four times that. */
const defaultMemoryMiB = (): number =>
  Math.max(512, Math.min(2048, quarterMiB()));
